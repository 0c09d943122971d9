"""Questions to a solver, within one time limit for all of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.result import Incumbent, Result, Status, Stop
from edgeplan.solvers.layer_assignment.bounds.chain_bound import shows_no_plan
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.registry import Solver
from edgeplan.solvers.search import EnoughError

SHORTEST_S = 0.3  # less is not worth the start of a back-end


@dataclass
class Questions:
    """Solves changed instances and counts them.

    Parameters
    ----------
    solver
        Who is asked.
    limits
        Time for all questions together, seed and workers.
    """

    solver: Solver
    limits: SolveLimits
    num_solves: int = 0
    interrupted: bool = False
    _overshoot_s: float = field(default=0.0, repr=False)

    @property
    def remaining_s(self) -> float:
        """Seconds left for a question, less what answers came late so far."""
        return max(0.0, self.limits.remaining_s - 1.2 * self._overshoot_s)

    @property
    def is_over(self) -> bool:
        """Whether no further question fits, or the user has had enough."""
        return self.interrupted or self.remaining_s < SHORTEST_S

    def solve(
        self, problem: LayerAssignment, seconds: float, *, warm_start: Plan | None = None, blame: bool = False
    ) -> Result:
        """Solve an instance.

        Parameters
        ----------
        seconds
            Its time limit, cut to what remains.
        blame
            Whether to look for a conflict where there is no plan.
        """
        return self._ask(problem, self._limits(seconds, warm_start=warm_start, blame=blame), first=False)

    def has_plan(self, problem: LayerAssignment, seconds: float) -> bool | None:
        """Say whether an instance has a plan; None where that stays open."""
        if shows_no_plan(problem):
            return False
        result = self.first_plan(problem, seconds)
        if result.plan is not None:
            return True
        return False if result.status is Status.INFEASIBLE else None

    def first_plan(self, problem: LayerAssignment, seconds: float) -> Result:
        """Solve an instance until a plan is found."""
        return self._ask(problem, self._limits(seconds), first=True)

    def _limits(self, seconds: float, *, warm_start: Plan | None = None, blame: bool = False) -> SolveLimits:
        return replace(
            self.limits,
            time_limit_s=max(SHORTEST_S, min(seconds, self.remaining_s)),
            started=time.monotonic(),
            warm_start=warm_start,
            blame=blame,
        )

    def _ask(self, problem: LayerAssignment, limits: SolveLimits, *, first: bool) -> Result:
        self.num_solves += 1
        result = self.solver.solve(problem, limits, _enough_with_a_plan if first else None)
        self.interrupted |= result.stop is Stop.INTERRUPT and not (first and result.plan is not None)
        self._overshoot_s = max(self._overshoot_s, limits.elapsed_s - limits.time_limit_s)
        return result


def _enough_with_a_plan(incumbent: Incumbent) -> None:
    if incumbent.objective is not None:
        raise EnoughError
