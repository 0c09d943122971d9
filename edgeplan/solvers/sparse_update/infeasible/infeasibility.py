"""Why an instance has no plan: a smallest set of limits, and for each the smallest change that helps.

A device that has no choice by itself is to blame alone. Otherwise CP-SAT is asked whether limits can hold
together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeplan.models.result import Conflict
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.solvers.sparse_update.choices.best_choices import BestChoices
from edgeplan.solvers.sparse_update.choices.cluster import Cluster
from edgeplan.solvers.sparse_update.choices.scope import Scope
from edgeplan.solvers.sparse_update.infeasible.any_plan import AnyPlan, UndecidedError
from edgeplan.solvers.sparse_update.infeasible.named_limits import (
    NamedLimit,
    named_limits,
    with_value,
    without,
)

_STEP_TOLERANCE = 1e-6  # relative, of the least step limit that would do

Holds = Callable[[SparseUpdate], bool]


@dataclass(frozen=True)
class Infeasibility:
    """Asks which limits conflict.

    Parameters
    ----------
    problem
        An instance without a plan.
    any_plan
        Is asked for plans.
    until
        Monotonic time at which to stop.
    """

    problem: SparseUpdate
    any_plan: AnyPlan
    until: float

    def device_without_choice(self) -> int | None:
        """The first device that no depth and options suit; None where every one has some."""
        cluster = Cluster.of(self.problem)
        found = BestChoices(cluster).find(cluster.gain, cluster.depth_gain, Scope.of(cluster))
        lacking = np.flatnonzero(np.isneginf(found.upper))
        return cluster.members[int(lacking[0])][0] if len(lacking) else None

    def conflicts(self) -> tuple[Conflict, ...]:
        """A smallest set of limits that cannot hold together; none where time was too short to find it."""
        everyone, alone = range(len(self.problem.instance.devices)), self.device_without_choice()
        holds: Holds = self._has_plan if alone is None else _suits(alone)
        limits = named_limits(self.problem, everyone if alone is None else [alone])
        if alone is not None:
            limits = [limit for limit in limits if limit.kind not in ("coverage", "nested")]
        try:
            blamed = self._smallest(limits, holds)
            others = [limit for limit in limits if limit not in blamed]
            return tuple(self._conflict(limit, others, holds) for limit in blamed)
        except UndecidedError:
            return ()

    def _smallest(self, limits: list[NamedLimit], holds: Holds) -> list[NamedLimit]:
        """Lift limits one by one, those of devices last, and keep lifted what is not needed."""
        lifted: list[NamedLimit] = []
        for limit in limits:
            if not holds(without(self.problem, [*lifted, limit])):
                lifted.append(limit)
        return [limit for limit in limits if limit not in lifted]

    def _conflict(self, limit: NamedLimit, others: Collection[NamedLimit], holds: Holds) -> Conflict:
        restores = self._has_plan(without(self.problem, [limit]))
        need = (
            self._least_change(limit, without(self.problem, others), holds) if _keeps_places(limit) else None
        )
        change_to = self._least_change(limit, self.problem, self._has_plan) if restores else None
        return Conflict.at(
            limit.path,
            need=need,
            have=limit.have,
            change_to=change_to,
            restores=restores,
            message=f"{limit.text}; {_advice(limit, change_to, restores)}",
        )

    def _least_change(self, limit: NamedLimit, problem: SparseUpdate, holds: Holds) -> Any:
        """The value nearest to what a limit has with which a problem has a plan."""

        def enough(value: Any) -> bool:
            return holds(with_value(problem, limit, value))

        match limit.kind:
            case "memory_bytes":
                return _least_whole(enough, limit.have, _most_bytes(problem))
            case "coverage":
                return -_least_whole(lambda value: enough(-value), -limit.have, 0)
            case "max_step_s":
                return _least_step(enough, limit.have)
            case "depth_contribution":
                return 0.0
            case _:
                return None

    def _has_plan(self, problem: SparseUpdate) -> bool:
        """Whether a plan exists, whatever it is worth.

        Raises
        ------
        UndecidedError
            When there was no time to tell, or devices are too many.
        """
        if problem.instance.nested or Cluster.of(problem).coverage.any():
            return self.any_plan.choices(Cluster.of(problem, apart=True), self.until) is not None
        return Infeasibility(problem, self.any_plan, self.until).device_without_choice() is None


def _suits(d: int) -> Holds:
    """Whether a device has a choice by itself."""

    def holds(problem: SparseUpdate) -> bool:
        cluster = Cluster(problem, ((d,),))
        found = BestChoices(cluster).find(cluster.gain, cluster.depth_gain, Scope.of(cluster))
        return bool(np.isfinite(found.upper[0]))

    return holds


def _keeps_places(limit: NamedLimit) -> bool:
    """Whether other limits can be lifted without moving this one's place."""
    return limit.kind not in ("pin", "forbid")


def _most_bytes(problem: SparseUpdate) -> int:
    """Memory with which everything can be trained."""
    cluster = Cluster(problem, ((0,),))
    return int(cluster.reach_bytes[-1] + cluster.option_bytes.sum())


def _least_whole(enough: Callable[[int], bool], too_little: int, plenty: int) -> int:
    """The least whole number that is enough."""
    while plenty - too_little > 1:
        middle = (too_little + plenty) // 2
        too_little, plenty = (too_little, middle) if enough(middle) else (middle, plenty)
    return plenty


def _least_step(enough: Callable[[float], bool], too_little: float) -> float:
    """A step limit that is enough, above the least one by rounding only."""
    plenty = max(too_little, 1e-9)
    while not enough(plenty):
        too_little, plenty = plenty, 2 * plenty
    while plenty - too_little > _STEP_TOLERANCE * plenty:
        middle = (too_little + plenty) / 2
        too_little, plenty = (too_little, middle) if enough(middle) else (middle, plenty)
    return plenty if math.isfinite(plenty) else too_little


def _advice(limit: NamedLimit, change_to: Any, restores: bool) -> str:
    if not restores:
        return "changing it alone does not help"
    words = {
        "memory_bytes": f"at least {change_to} would do",
        "max_step_s": f"at least {change_to!r} would do",
        "coverage": f"at most {change_to} can be met",
        "depth_contribution": "allow it",
        "nested": "without that there is a plan",
    }
    return words.get(limit.kind, "drop it")
