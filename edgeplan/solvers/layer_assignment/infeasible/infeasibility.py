"""Infeasible instances: a second reason, a smallest conflict, and what would mend it.

The conflict is found by deletion over named limits (QuickXplain, Junker 2004); every answer that it
rests on is a solve of its own (`feasibility`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from edgeplan.errors import BackendError
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.result import Conflict, Stop
from edgeplan.solvers.backend_process import BackendProcess, BackendTimeoutError
from edgeplan.solvers.layer_assignment.bounds.relaxation import Relaxation
from edgeplan.solvers.layer_assignment.bounds.walks import OutOfTimeError
from edgeplan.solvers.layer_assignment.circulation.circulation import Circulation
from edgeplan.solvers.layer_assignment.circulation.exact_search import steps_within_budgets
from edgeplan.solvers.layer_assignment.infeasible.exhaustion import has_no_plan
from edgeplan.solvers.layer_assignment.infeasible.feasibility import Feasibility, UnansweredError
from edgeplan.solvers.layer_assignment.infeasible.named_limits import NamedLimit, named_limits, without
from edgeplan.solvers.layer_assignment.search import Search
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending

FIRST_BACKEND = "edgeplan.solvers.layer_assignment.circulation.cp_sat_backend"
SECOND_BACKEND = "edgeplan.solvers.layer_assignment.infeasible.scipy_backend"
_START_S = 0.5  # for a back-end to be ready
_UNCONFIRMED = Ending(
    Stop.WORK_LIMIT,
    detail="the solver finds no plan, and no second method could confirm it within the limits",
)


def explain_infeasible(
    arcs: Arcs, search: Search, backend: BackendProcess, *, reason: str | None = None
) -> Ending:
    """Confirm that no plan exists and say which limits are to blame.

    Parameters
    ----------
    arcs
        All steps, over which a solver found no plan.
    backend
        A warm CP-SAT process, which looks for the conflict.
    reason
        What confirms the solver's word, if that is known already.
    """
    reason = reason or second_reason(arcs, search.limits)
    if reason is None:
        return _UNCONFIRMED
    if not search.limits.blame:
        return Ending(Stop.PROOF, infeasible=True, detail=f"no plan exists ({reason})")
    blame = _Blame(search.problem, Feasibility(backend, search.limits))
    conflicts = blame.conflicts()
    detail = f"no plan exists ({reason})" + "".join(f"; {remark}" for remark in blame.remarks)
    return Ending(Stop.PROOF, infeasible=True, conflicts=conflicts, detail=detail)


def explain_by_cp_sat(arcs: Arcs, search: Search, *, reason: str | None = None) -> Ending:
    """Confirm the word of a solver that is not CP-SAT, and let a CP-SAT process look for the conflict.

    Parameters
    ----------
    arcs
        All steps, over which the solver found no plan.
    reason
        What confirms its word, if that is known already.
    """
    reason = reason or second_reason(arcs, search.limits)
    if reason is None:
        return _UNCONFIRMED
    if not search.limits.blame or search.limits.remaining_s < _START_S:
        remark = "; time ran out before a smallest conflict was looked for" if search.limits.blame else ""
        return Ending(Stop.PROOF, infeasible=True, detail=f"no plan exists ({reason}){remark}")
    with BackendProcess(FIRST_BACKEND) as backend:
        try:
            return explain_infeasible(arcs, search, backend, reason=reason)
        except (BackendError, BackendTimeoutError) as error:
            detail = f"no plan exists ({reason}); no conflict was found: {error or 'time ran out'}"
            return Ending(Stop.PROOF, infeasible=True, detail=detail)


def second_reason(arcs: Arcs, limits: SolveLimits) -> str | None:
    """Confirm infeasibility by other means than CP-SAT; None if they cannot."""
    if not arcs.num_nodes or not math.isfinite(Relaxation(arcs).first_bound()):
        return "no chain of stages covers the layers, even with nodes used twice"
    try:
        useful = steps_within_budgets(arcs, limits)
    except OutOfTimeError:
        return None
    if not useful.any():
        return "no chain of stages keeps the budgets, even with nodes used twice"
    programme = Circulation(arcs, useful, None)
    with BackendProcess(SECOND_BACKEND) as second:
        job = programme.job(excluded=[], hint=[]) | {"time_limit_s": max(0.05, limits.remaining_s / 2)}
        try:
            final = list(second.messages(job, until=limits.deadline - limits.remaining_s / 2))[-1]
        except (BackendTimeoutError, BackendError):
            final = {"status": "unknown"}
    if final["status"] == "infeasible":
        return "confirmed by HiGHS"
    return "confirmed by exhaustion" if has_no_plan(arcs, until=limits.deadline) else None


@dataclass(frozen=True)
class _Blame:
    """Looks for a smallest set of limits that cannot hold together."""

    problem: LayerAssignment
    feasibility: Feasibility
    remarks: list[str] = field(default_factory=list)

    @cached_property
    def named(self) -> list[NamedLimit]:
        return named_limits(self.problem)

    def conflicts(self) -> tuple[Conflict, ...]:
        """A set of limits that cannot hold together, each of them needed for that."""
        try:
            if self._infeasible([]):
                return ()  # no limit that could be lifted is to blame
            members = self._smallest([], [], self.named)
        except UnansweredError:
            self.remarks.append("time ran out before a smallest conflict was found")
            return ()
        return tuple(self._conflict(limit, members) for limit in members)

    def _smallest(
        self, kept: list[NamedLimit], added: list[NamedLimit], open_limits: list[NamedLimit]
    ) -> list[NamedLimit]:
        """Smallest part of `open_limits` that is infeasible together with `kept` (QuickXplain)."""
        if added and self._infeasible(kept):
            return []
        if len(open_limits) == 1:
            return open_limits
        half = len(open_limits) // 2
        first, second = open_limits[:half], open_limits[half:]
        of_second = self._smallest(kept + first, first, second)
        of_first = self._smallest(kept + of_second, of_second, first)
        return of_first + of_second

    def _only(self, kept: Sequence[NamedLimit]) -> LayerAssignment:
        paths = {limit.path for limit in kept}
        return without(self.problem, [limit for limit in self.named if limit.path not in paths])

    def _infeasible(self, kept: list[NamedLimit]) -> bool:
        return self.feasibility.any_plan(self._only(kept)) is None

    def _conflict(self, limit: NamedLimit, members: list[NamedLimit]) -> Conflict:
        others = [member for member in members if member.path != limit.path]
        try:
            agreeing = self.feasibility.least(self._only(others), limit)
            restoring = self.feasibility.least(without(self.problem, [limit]), limit)
        except UnansweredError:
            remark = "time ran out before every change was found"
            if remark not in self.remarks:
                self.remarks.append(remark)
            return Conflict.at(limit.path, need=None, have=limit.have, message=limit.text)
        change_to = None if restoring is None else _need(self.problem, restoring, limit)
        return Conflict.at(
            limit.path,
            need=None if agreeing is None else _need(self.problem, agreeing, limit),
            have=limit.have,
            change_to=change_to,
            restores=restoring is not None,
            message=_sentence(limit, change_to, restores=restoring is not None),
        )


def _sentence(limit: NamedLimit, change_to: float | None, *, restores: bool) -> str:
    if not restores:
        return f"{limit.text}; changing this alone does not help"
    if limit.measure is None:
        return f"{limit.text}; dropping this alone restores feasibility"
    return f"{limit.text}; {change_to} would restore feasibility"


def _need(problem: LayerAssignment, plan: Plan, limit: NamedLimit) -> float | None:
    """What the plan needs of the limit, by the problem's own arithmetic."""
    if limit.measure is None:
        return None
    cost = problem.cost(plan)
    if limit.measure == "memory":
        node = limit.path[2]
        return next((visit.memory_bytes for visit in cost.visits if visit.visit.node == node), limit.have)
    nodes = [problem.instance.network.nodes[visit.visit.node] for visit in cost.visits]
    needs: dict[str, float | None] = {
        "nodes": len(cost.visits),
        "layers": max(len(visit.visit.own_layers) for visit in cost.visits),
        "samples": sum(node.num_samples for node in nodes),
        "time_s": cost.time_s,
        "energy_j": cost.energy_j,
        "price": cost.price,
    }
    return needs[limit.measure]
