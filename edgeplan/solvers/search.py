"""The course of one solve: incumbents and bounds as they come, and the result they end in.

Every plan is judged by the problem when it is offered; a solver's own figures are only compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from edgeplan.errors import BackendError, UsageError
from edgeplan.models.problem import PlanDocument, Problem
from edgeplan.models.result import (
    OPTIMALITY_GAP,
    Conflict,
    Incumbent,
    Result,
    SolverInfo,
    Status,
    Stop,
    gap_between,
)
from edgeplan.solvers.limits import SolveLimits

ProblemType = TypeVar("ProblemType", bound=Problem)
PlanType = TypeVar("PlanType", bound=PlanDocument)

OnIncumbent = Callable[[Incumbent], None]
OnStep = Callable[[str], None]
"""Called with what is being done, in words."""

CLAIM_TOLERANCE = 1e-6
CLAIM_ROUNDING = 1e-12


class EnoughError(Exception):
    """Raised by `on_incumbent` to end the search with what is known."""


@dataclass(frozen=True)
class Ending:
    """Why a search ended.

    Parameters
    ----------
    stop
        What ended it.
    infeasible
        Whether it is proven that no plan exists.
    conflicts
        Limits that cannot hold together.
    detail
        What limits the answer.
    proven
        Whether the plan may be called optimal; a plan of several parts is so only if each part is.
    claimed_by
        Who proved that no plan exists, where it was not the solver itself.
    """

    stop: Stop
    infeasible: bool = False
    conflicts: tuple[Conflict, ...] = ()
    detail: str | None = None
    proven: bool = True
    claimed_by: str | None = None


@dataclass
class Search(Generic[ProblemType, PlanType]):
    """What one solve knows so far.

    Parameters
    ----------
    problem
        The instance.
    limits
        Time, gap, seed and workers.
    on_incumbent
        Called with every better objective or bound; may raise `EnoughError` to end the search.
    """

    problem: ProblemType
    limits: SolveLimits
    on_incumbent: OnIncumbent | None = None
    plan: PlanType | None = None
    objective: float | None = None
    bound: float | None = None
    history: list[Incumbent] = field(default_factory=list)
    beyond: UsageError | None = None
    """Why a plan could not be judged."""
    options: dict[str, str] = field(default_factory=dict)
    """What the result says beside the solver's own options."""

    def offer(self, plan: PlanType, *, claimed: float | None = None, about: float = 0.0) -> bool:
        """Judge a plan and keep it if it is better.

        Parameters
        ----------
        claimed
            The solver's own objective of this plan.
        about
            What the objective is a difference of: its rounding may be more than the objective's own.

        Returns
        -------
        bool
            Whether the problem accepts the plan.

        Raises
        ------
        BackendError
            When the claim differs from the problem's own figure.
        """
        try:
            check = self.problem.check(plan)
        except UsageError as error:  # figures beyond a float
            self.beyond = error
            return False
        if not check.feasible or check.objective is None:
            return False
        allowed = max(CLAIM_TOLERANCE * max(abs(check.objective), 1e-9), CLAIM_ROUNDING * about)
        if claimed is not None and abs(claimed - check.objective) > allowed:
            raise BackendError(
                f"the solver claims objective {claimed!r}, the problem says {check.objective!r}"
            )
        if self.objective is None or self._sense * check.objective < self._sense * self.objective:
            self.plan, self.objective = plan, check.objective
            self._record()
        return True

    def tighten_bound(self, bound: float) -> None:
        """Keep a proven bound if it is better: a higher one, or a lower one where the most is wanted.

        Raises
        ------
        BackendError
            When it is not finite: that there is no plan, an `Ending` says.
        """
        if not math.isfinite(bound):
            raise BackendError(f"bound {bound!r} is not finite")
        if self.bound is None or self._sense * bound > self._sense * self.bound:
            self.bound = bound
            self._record()

    def _record(self) -> None:
        incumbent = Incumbent(
            runtime_s=self.limits.elapsed_s, objective=self.objective, bound=self._proven_bound()
        )
        self.history.append(incumbent)
        if self.on_incumbent is not None:
            self.on_incumbent(incumbent)

    def _proven_bound(self) -> float | None:
        """The bound, cut to the objective that float arithmetic may let it pass by a rounding."""
        if self.bound is None or self.objective is None:
            return self.bound
        passed = self._sense * (self.bound - self.objective)
        if passed > CLAIM_TOLERANCE * max(1.0, abs(self.objective)):
            side = "below" if self.problem.maximises else "above"
            raise BackendError(f"bound {self.bound!r} is {side} the objective {self.objective!r} of a plan")
        return self.objective if passed > 0 else self.bound

    @property
    def _sense(self) -> int:
        """1 where the least objective is the best, -1 where the most is."""
        return -1 if self.problem.maximises else 1

    @property
    def gap(self) -> float | None:
        """Relative gap, None where objective or bound is unknown."""
        return gap_between(self.objective, self._proven_bound())

    @property
    def is_proven(self) -> bool:
        """Whether the plan is optimal within the tolerance of formats.md."""
        return self.gap is not None and self.gap <= OPTIMALITY_GAP

    @property
    def is_done(self) -> bool:
        """Whether the gap asked for is reached."""
        return self.gap is not None and self.gap <= max(self.limits.gap, OPTIMALITY_GAP)

    def result(self, ending: Ending, solver: SolverInfo) -> Result:
        """Close the search."""
        status, stop = self._status(ending)
        document = None if self.plan is None else self.plan.to_document()
        return Result(
            problem=self.problem.name,
            instance_sha256=self.problem.instance_sha256,
            status=status,
            stop=stop,
            objective=self.objective,
            bound=self._proven_bound(),
            gap=self.gap,
            plan=document,
            metrics=None if self.plan is None else self.problem.metrics(self.plan),
            conflicts=ending.conflicts,
            detail=ending.detail,
            solver=solver.model_copy(update={"options": solver.options | self.options}),
            incumbents=tuple(self.history),
            runtime_s=self.limits.elapsed_s,
        )

    def _status(self, ending: Ending) -> tuple[Status, Stop]:
        if self.plan is not None and ending.infeasible:
            raise BackendError("a solver denies the plan that the problem accepts")
        if self.is_proven and ending.proven:
            return Status.OPTIMAL, Stop.PROOF
        if ending.infeasible:
            return Status.INFEASIBLE, Stop.PROOF
        if self.plan is not None:
            return Status.FEASIBLE, ending.stop
        if ending.stop is Stop.ERROR:
            return Status.FAILED, Stop.ERROR
        return Status.NO_PLAN, ending.stop


def run_search(
    body: Callable[[Search[ProblemType, PlanType]], Ending],
    problem: ProblemType,
    limits: SolveLimits,
    solver: SolverInfo,
    on_incumbent: OnIncumbent | None,
) -> Result:
    """Run a solver's body on a fresh search; an interrupt keeps what is known."""
    search = Search[ProblemType, PlanType](problem, limits, on_incumbent)
    try:
        ending = body(search)
    except (KeyboardInterrupt, EnoughError):
        ending = Ending(Stop.INTERRUPT)
    if search.beyond is not None and search.plan is None and not ending.infeasible:
        raise search.beyond
    return search.result(ending, solver)
