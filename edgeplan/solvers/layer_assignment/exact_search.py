"""Exact search over one table of steps: plan, bound, proven pruning, then CP-SAT on what is left."""

from __future__ import annotations

from edgeplan.errors import BackendError
from edgeplan.models.result import Stop
from edgeplan.solvers.backend_process import BackendProcess
from edgeplan.solvers.layer_assignment.arcs import Arcs
from edgeplan.solvers.layer_assignment.circulation import Circulation
from edgeplan.solvers.layer_assignment.heuristic import Effort, construct_and_improve
from edgeplan.solvers.layer_assignment.relaxation import OutOfTimeError, Relaxation
from edgeplan.solvers.layer_assignment.route import RouteCost
from edgeplan.solvers.layer_assignment.stage_table import Bools
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, Search

MAX_BACKEND_STEPS = 400_000
LIMIT_OF_TERM = {"time_s": "deadline_s", "energy_j": "budget_energy_j", "price": "budget_price"}
_LIMIT_SLACK = 1e-8  # beyond the tolerance of formats.md, so that pruning keeps every plan within a limit
MARGIN_S = 0.1  # kept back for judging and writing the last plan


def prove(arcs: Arcs, search: Search, backend: BackendProcess, *, effort: Effort | None) -> Ending:
    """Search until the best plan is proven, or none can be.

    Parameters
    ----------
    arcs
        Steps over every node of the instance.
    search
        Gets plans and bounds as they come.
    backend
        A warm CP-SAT process.
    effort
        Of the heuristic that runs first; None leaves everything to CP-SAT.

    Returns
    -------
    Ending
        With ``infeasible`` by CP-SAT's word alone.
    """
    if arcs.num_nodes and effort is not None:
        until = search.limits.share(0.2, most_s=2.0)
        construct_and_improve(arcs, Relaxation(arcs), search, until=until, effort=effort)
    try:
        if search.objective is None:
            useful = steps_within_budgets(arcs, search.limits)
        else:
            useful = _useful_steps(arcs, search, search.objective)
    except OutOfTimeError:
        return Ending(Stop.TIME_LIMIT)
    if search.is_done:
        return Ending(Stop.GAP)
    if useful.sum() > MAX_BACKEND_STEPS:
        return Ending(Stop.WORK_LIMIT, detail=f"{useful.sum()} steps are too many for CP-SAT")
    return _search_steps(Circulation(arcs, useful, search.objective), search, backend)


def steps_within_budgets(arcs: Arcs, limits: SolveLimits) -> Bools:
    """Steps through which a plan within the deadline and the budgets may lead, each looked at alone.

    Raises
    ------
    OutOfTimeError
        When time runs out.
    """
    instance = arcs.table.problem.instance
    useful = arcs.allowed
    for term, name in LIMIT_OF_TERM.items():
        limit = getattr(instance.limits, name)
        if limit is None or not arcs.num_nodes:
            continue
        target = limit + _LIMIT_SLACK * max(1.0, limit)
        relaxation = Relaxation(arcs.minimising(term), limits.deadline - MARGIN_S)
        ascent = relaxation.ascend(target, until=limits.share(0.2, most_s=2.0))
        useful = useful & relaxation.useful_arcs(target, ascent)
    return useful


def _useful_steps(arcs: Arcs, search: Search, target: float) -> Bools:
    """Raise the bound, and keep the steps through which a better plan may lead."""
    relaxation = Relaxation(arcs, search.limits.deadline - MARGIN_S)
    ascent = relaxation.ascend(target, until=search.limits.share(0.4, most_s=10.0))
    search.raise_bound(min(relaxation.bound(ascent.walk), target))
    return relaxation.useful_arcs(target, ascent)


def _search_steps(programme: Circulation, search: Search, backend: BackendProcess) -> Ending:
    """Solve the programme; repeat without plans that only rounding lets in, and at a finer scale."""
    excluded: list[list[int]] = []
    while search.limits.remaining_s > MARGIN_S:
        status = _run_backend(programme, search, backend, excluded)
        if search.is_done:
            return Ending(Stop.GAP)
        if status == "infeasible":
            if search.plan is None:
                return Ending(Stop.PROOF, infeasible=True)
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
        "time_limit_s": max(0.01, limits.remaining_s - MARGIN_S),
        "workers": limits.workers,
        "seed": limits.seed,
        "gap": limits.gap,
    }
    status = "unknown"
    for message in backend.messages(job, until=limits.deadline - MARGIN_S):
        chosen = message.get("chosen")
        if chosen is not None and not search.offer(cost.to_plan(programme.route(chosen))):
            excluded.append(chosen)
        if message.get("bound") is not None:
            bound = max(0.0, message["bound"] / programme.scale)
            search.raise_bound(bound if search.objective is None else min(bound, search.objective))
        status = message.get("status", status)
    return status
