"""The exact solver: heuristic plan, walk bound, proven pruning of steps, then CP-SAT on what is left."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import ClassVar

from edgeplan.errors import BackendError
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Result, SolverInfo, Stop
from edgeplan.solvers.backend_process import BackendProcess, BackendTimeoutError
from edgeplan.solvers.layer_assignment.arcs import Arcs
from edgeplan.solvers.layer_assignment.candidates import candidates
from edgeplan.solvers.layer_assignment.circulation import Circulation
from edgeplan.solvers.layer_assignment.heuristic import construct_and_improve
from edgeplan.solvers.layer_assignment.infeasibility import explain_infeasible
from edgeplan.solvers.layer_assignment.relaxation import OutOfTimeError, Relaxation
from edgeplan.solvers.layer_assignment.route import RouteCost
from edgeplan.solvers.layer_assignment.stage_table import Bools
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, OnIncumbent, Search, run_search

BACKEND = "edgeplan.solvers.layer_assignment.cp_sat_backend"
MAX_BACKEND_STEPS = 400_000
_MARGIN_S = 0.1  # kept back for judging and writing the last plan


@dataclass(frozen=True)
class CpSat:
    """Exact where all nodes fit one table of steps; otherwise a heuristic plan, honestly unproven.

    Parameters
    ----------
    polish
        Whether the heuristic runs first; without it CP-SAT starts from nothing.
    """

    polish: bool = True

    name: ClassVar[str] = "cp-sat"

    def solve(
        self, problem: LayerAssignment, limits: SolveLimits, on_incumbent: OnIncumbent | None = None
    ) -> Result:
        """Return a proven optimum, or the best plan and bound at the limit, or a proven conflict."""
        info = SolverInfo(
            name=self.name,
            version=version("ortools"),
            seed=limits.seed,
            workers=limits.workers,
            options={"polish": self.polish},
        )
        return run_search(self._body, problem, limits, info, on_incumbent)

    def _body(self, search: Search) -> Ending:
        chosen = candidates(search.problem)
        if not chosen.complete:
            return self._unproven(chosen.arcs, search)
        with BackendProcess(BACKEND) as backend:
            try:
                return self._prove(chosen.arcs, search, backend)
            except BackendTimeoutError:
                return Ending(Stop.TIME_LIMIT)
            except BackendError as error:
                return Ending(Stop.ERROR, detail=str(error))

    @staticmethod
    def _unproven(arcs: Arcs, search: Search) -> Ending:
        until = search.limits.share(0.8, most_s=search.limits.time_limit_s)
        construct_and_improve(arcs, Relaxation(arcs), search, until=until)
        return Ending(
            Stop.WORK_LIMIT, detail=f"too many steps for a proof; {arcs.num_nodes} promising nodes searched"
        )

    def _prove(self, arcs: Arcs, search: Search, backend: BackendProcess) -> Ending:
        if arcs.num_nodes and self.polish:
            construct_and_improve(arcs, Relaxation(arcs), search, until=search.limits.share(0.2, most_s=2.0))
        if search.objective is None:
            return _search_steps(Circulation(arcs, arcs.allowed, None), search, backend, [])
        try:
            useful = self._useful_steps(arcs, search, search.objective)
        except OutOfTimeError:
            return Ending(Stop.TIME_LIMIT)
        if search.is_done:
            return Ending(Stop.GAP)
        if useful.sum() > MAX_BACKEND_STEPS:
            return Ending(Stop.WORK_LIMIT, detail=f"{useful.sum()} steps are too many for CP-SAT")
        return _search_steps(Circulation(arcs, useful, search.objective), search, backend, [])

    @staticmethod
    def _useful_steps(arcs: Arcs, search: Search, target: float) -> Bools:
        """Raise the bound, and keep the steps through which a better plan may lead."""
        relaxation = Relaxation(arcs, search.limits.deadline - _MARGIN_S)
        ascent = relaxation.ascend(target, until=search.limits.share(0.4, most_s=10.0))
        search.raise_bound(min(relaxation.bound(ascent.walk), target))
        return relaxation.useful_arcs(target, ascent)


def _search_steps(
    programme: Circulation, search: Search, backend: BackendProcess, excluded: list[list[int]]
) -> Ending:
    """Solve the programme; repeat without plans that only rounding lets in, and at a finer scale."""
    while search.limits.remaining_s > _MARGIN_S:
        status = _run_backend(programme, search, backend, excluded)
        if search.is_done:
            return Ending(Stop.GAP)
        if status == "infeasible":
            if search.plan is None:
                return explain_infeasible(programme, search, backend)
            raise BackendError("CP-SAT denies a plan that the problem accepts")
        if status not in ("optimal", "feasible"):
            break
        if status == "optimal" and search.objective is not None:
            programme = Circulation(programme.arcs, programme.useful, search.objective)
    return Ending(Stop.TIME_LIMIT)


def _run_backend(
    programme: Circulation, search: Search, backend: BackendProcess, excluded: list[list[int]]
) -> str:
    """Solve one job, offering its plans and bounds as they come; return the final status."""
    cost = RouteCost(programme.arcs)
    known = cost.from_plan(search.plan) if search.plan is not None else None
    limits = search.limits
    job = programme.job(excluded=excluded, hint=[] if known is None else programme.steps_of(known))
    job |= {
        "time_limit_s": max(0.01, limits.remaining_s - _MARGIN_S),
        "workers": limits.workers,
        "seed": limits.seed,
        "gap": limits.gap,
    }
    status = "unknown"
    for message in backend.messages(job, until=limits.deadline - _MARGIN_S):
        chosen = message.get("chosen")
        if chosen is not None and not search.offer(cost.to_plan(programme.route(chosen))):
            excluded.append(chosen)
        if message.get("bound") is not None:
            bound = max(0.0, message["bound"] / programme.scale)
            search.raise_bound(bound if search.objective is None else min(bound, search.objective))
        status = message.get("status", status)
    return status
