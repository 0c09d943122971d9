"""The course of one solve: incumbents and bounds as they come, and the result they end in.

Every plan is judged by the problem when it is offered; a solver's own figures are only compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from edgeplan.errors import BackendError, UsageError
from edgeplan.models.layer_assignment import LayerAssignment, Plan
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
from edgeplan.solvers.layer_assignment.heuristic.repair import repair
from edgeplan.solvers.limits import SolveLimits

OnIncumbent = Callable[[Incumbent], None]
CLAIM_TOLERANCE = 1e-6
_SHARE_OF_REPAIR, _LONGEST_REPAIR_S = 0.2, 3.0


class EnoughError(Exception):
    """Raised by `on_incumbent` to end the search with what is known."""


@dataclass(frozen=True)
class Ending:
    """Why a search ended; `infeasible` says that no plan exists, with proof."""

    stop: Stop
    infeasible: bool = False
    conflicts: tuple[Conflict, ...] = ()
    detail: str | None = None


@dataclass
class Search:
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

    problem: LayerAssignment
    limits: SolveLimits
    on_incumbent: OnIncumbent | None = None
    plan: Plan | None = None
    objective: float | None = None
    bound: float | None = None
    history: list[Incumbent] = field(default_factory=list)
    beyond: UsageError | None = None
    """Why a plan could not be judged."""

    def offer(self, plan: Plan, *, claimed: float | None = None) -> bool:
        """Judge a plan and keep it if it is better.

        Parameters
        ----------
        claimed
            The solver's own objective of this plan.

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
        if claimed is not None and abs(claimed - check.objective) > CLAIM_TOLERANCE * max(
            abs(check.objective), 1e-9
        ):
            raise BackendError(
                f"the solver claims objective {claimed!r}, the problem says {check.objective!r}"
            )
        if self.objective is None or check.objective < self.objective:
            self.plan, self.objective = plan, check.objective
            self._record()
        return True

    def raise_bound(self, bound: float) -> None:
        """Keep a proven lower bound if it is better.

        Raises
        ------
        BackendError
            When it is not finite: that there is no plan, an `Ending` says.
        """
        if not math.isfinite(bound):
            raise BackendError(f"bound {bound!r} is not finite")
        if self.bound is None or bound > self.bound:
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
        if self.bound > self.objective + CLAIM_TOLERANCE * max(1.0, abs(self.objective)):
            raise BackendError(f"bound {self.bound!r} is above the objective {self.objective!r} of a plan")
        return min(self.bound, self.objective)

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
            solver=solver,
            incumbents=tuple(self.history),
            runtime_s=self.limits.elapsed_s,
        )

    def _status(self, ending: Ending) -> tuple[Status, Stop]:
        if self.plan is not None and ending.infeasible:
            raise BackendError("a solver denies the plan that the problem accepts")
        if self.is_proven:
            return Status.OPTIMAL, Stop.PROOF
        if ending.infeasible:
            return Status.INFEASIBLE, Stop.PROOF
        if self.plan is not None:
            return Status.FEASIBLE, ending.stop
        if ending.stop is Stop.ERROR:
            return Status.FAILED, Stop.ERROR
        return Status.NO_PLAN, ending.stop


def _start_warm(search: Search, plan: Plan) -> dict[str, str]:
    """Offer the plan of a warm start, repaired where it must be, and say what became of it."""
    violations = search.problem.violations(plan)
    if not violations and search.offer(plan):
        return {"warm_start": "accepted"}
    reason = violations[0].message if violations else "its objective has no value"
    until = search.limits.share(_SHARE_OF_REPAIR, most_s=_LONGEST_REPAIR_S)
    repaired = repair(search.problem, plan, until=until)
    if repaired is None or not search.offer(repaired):
        return {"warm_start": f"rejected: {reason}"}
    changed = sum(stage not in plan.stages for stage in repaired.stages)
    return {"warm_start": f"repaired: {reason}; {changed} of {len(repaired.stages)} stages changed"}


def run_search(
    body: Callable[[Search], Ending],
    problem: LayerAssignment,
    limits: SolveLimits,
    solver: SolverInfo,
    on_incumbent: OnIncumbent | None,
) -> Result:
    """Run a solver's body on a fresh search; an interrupt keeps what is known."""
    search = Search(problem, limits, on_incumbent)
    try:
        if limits.warm_start is not None:
            options = solver.options | _start_warm(search, limits.warm_start)
            solver = solver.model_copy(update={"options": options})
        ending = body(search)
    except (KeyboardInterrupt, EnoughError):
        ending = Ending(Stop.INTERRUPT)
    if search.beyond is not None and search.plan is None and not ending.infeasible:
        raise search.beyond
    return search.result(ending, solver)
