"""The solvers of each problem by name, and the choice that ``auto`` makes."""

from __future__ import annotations

from typing import Protocol

from edgeplan.errors import UsageError
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Result
from edgeplan.solvers.layer_assignment.brute_force import BruteForce
from edgeplan.solvers.layer_assignment.cp_sat import CpSat
from edgeplan.solvers.layer_assignment.heuristic import Heuristic
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import OnIncumbent


class Solver(Protocol):
    """Settings and one method; no state between calls."""

    @property
    def name(self) -> str:
        """Name on the command line."""

    def solve(
        self, problem: LayerAssignment, limits: SolveLimits, on_incumbent: OnIncumbent | None = None
    ) -> Result:
        """Solve one instance within the limits."""


AUTO = "auto"
SOLVERS: dict[str, Solver] = {solver.name: solver for solver in (CpSat(), Heuristic(), BruteForce())}


def solver_named(name: str) -> Solver:
    """Return the solver of this name; ``auto`` is CP-SAT, which falls back to the heuristic by itself.

    Raises
    ------
    UsageError
        When there is none.

    Examples
    --------
    >>> solver_named("auto").name
    'cp-sat'
    """
    if name == AUTO:
        return SOLVERS[CpSat.name]
    if name not in SOLVERS:
        raise UsageError(f"--solver: {name!r}: must be one of {', '.join([AUTO, *SOLVERS])}")
    return SOLVERS[name]
