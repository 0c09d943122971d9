"""Planners that people use, written anew from their papers, each ``plan(problem) -> Plan | None``.

None says that the rival has no plan that keeps the limits of the instance; a plan that it does return
keeps them all. What each rival is and how it was adapted stands in its own file.
"""

from __future__ import annotations

from typing import Protocol

from benchmarks.rivals import (
    asteroid,
    equal_split,
    local_search,
    memory_split,
    pipedream,
    speed_split,
    textbook_cp_sat,
)
from edgeplan.models.layer_assignment import LayerAssignment, Plan


class Rival(Protocol):
    """A planner."""

    def __call__(self, problem: LayerAssignment, *, time_limit_s: float = 60.0) -> Plan | None:
        """Return a plan, or None where it has none; searches end at the time limit."""


RIVALS: dict[str, Rival] = {
    "equal": equal_split.plan,
    "by memory (exo)": memory_split.plan,
    "by speed": speed_split.plan,
    "PipeDream": pipedream.plan,
    "Asteroid": asteroid.plan,
    "local search": local_search.plan,
    "plain CP-SAT": textbook_cp_sat.plan,
}
