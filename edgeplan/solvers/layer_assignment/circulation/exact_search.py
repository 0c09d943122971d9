"""Exact search over one table of steps: plan, bound, proven pruning, then a back-end on what is left."""

from __future__ import annotations

from functools import partial

import numpy as np

from edgeplan.errors import BackendError
from edgeplan.models.result import Stop
from edgeplan.solvers.backend_process import BackendProcess
from edgeplan.solvers.layer_assignment.bounds.chain_bound import least
from edgeplan.solvers.layer_assignment.bounds.relaxation import Relaxation
from edgeplan.solvers.layer_assignment.bounds.spans import Narrowing
from edgeplan.solvers.layer_assignment.bounds.walks import OutOfTimeError
from edgeplan.solvers.layer_assignment.circulation.circulation import Circulation
from edgeplan.solvers.layer_assignment.heuristic.heuristic import FULL, QUICK, Effort, construct_and_improve
from edgeplan.solvers.layer_assignment.heuristic.priced_beams import priced_beams
from edgeplan.solvers.layer_assignment.search import Search
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs
from edgeplan.solvers.layer_assignment.steps.route import RouteCost
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools
from edgeplan.solvers.limits import MARGIN_S, SolveLimits
from edgeplan.solvers.search import CLAIM_TOLERANCE, Ending

MAX_BACKEND_STEPS = 400_000
_S_PER_STEP = 2e-5  # of writing the programme down and handing it over
LIMIT_OF_TERM = {"time_s": "deadline_s", "energy_j": "budget_energy_j", "price": "budget_price"}
_LIMIT_SLACK = 1e-8  # beyond the tolerance of formats.md, so that pruning keeps every plan within a limit


def prove(arcs: Arcs, search: Search, backend: BackendProcess, *, effort: Effort | None) -> Ending:
    """Search until the best plan is proven, or none can be.

    Parameters
    ----------
    arcs
        Steps over every node of the instance.
    search
        Gets plans and bounds as they come.
    backend
        A warm process that takes circulation programmes.
    effort
        Of the heuristic that runs first; None leaves everything to the back-end.

    Returns
    -------
    Ending
        With ``infeasible`` by the back-end's word alone.
    """
    if arcs.num_nodes and effort is not None:
        if arcs.peak_weight > 0:
            effort = QUICK  # the beams of the narrowing find better plans
        until = search.limits.share(0.2, most_s=2.0)
        construct_and_improve(arcs, Relaxation(arcs), search, until=until, effort=effort)
    try:
        if search.objective is None:
            useful = steps_within_budgets(arcs, search.limits)
        else:
            until = search.limits.work_until
            most_s = 10.0 if arcs.peak_weight == 0 else 40.0
            useful = useful_steps(arcs, search, search.objective, most_s=most_s, until=until)
    except OutOfTimeError:
        return Ending(Stop.TIME_LIMIT)
    if search.is_done:
        return Ending(Stop.GAP)
    if useful.sum() > MAX_BACKEND_STEPS:
        return Ending(Stop.WORK_LIMIT, detail=f"{useful.sum()} steps are too many for an exact search")
    return _search_steps(Circulation(arcs, useful, search.objective), search, backend)


def search_promising(arcs: Arcs, search: Search) -> Ending:
    """Search for a plan over a choice of nodes, where all nodes are too many for a proof."""
    until = search.limits.share(0.8, most_s=search.limits.time_limit_s)
    construct_and_improve(arcs, Relaxation(arcs), search, until=until, effort=FULL)
    return Ending(
        Stop.WORK_LIMIT, detail=f"too many steps for a proof; {arcs.num_nodes} promising nodes searched"
    )


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
        if least(arcs, term) > target:
            return np.zeros_like(useful)
        narrowing = Narrowing(arcs.minimising(term), partial(float, target), limits.work_until)
        useful = useful & narrowing.run(until=limits.share(0.2, most_s=2.0)).useful
    return useful


def useful_steps(arcs: Arcs, search: Search, target: float, *, most_s: float, until: float) -> Bools:
    """Raise the bound, and keep the steps through which a better plan than `target` may lead.

    Parameters
    ----------
    most_s
        Most seconds for raising the bound.
    until
        Monotonic time at which to give up.

    Raises
    ------
    OutOfTimeError
        When time runs out.
    """

    def best() -> float:
        return target if search.objective is None else min(target, search.objective)

    raised = search.limits.share(0.6, most_s=most_s)
    narrowed = Narrowing(arcs, best, until, priced_beams(arcs, search, raised)).run(until=raised)
    search.tighten_bound(narrowed.bound)
    return narrowed.useful


def _search_steps(programme: Circulation, search: Search, backend: BackendProcess) -> Ending:
    """Solve the programme; repeat without plans that only rounding lets in, and at a finer scale."""
    excluded: list[list[int]] = []
    if search.limits.remaining_s < MARGIN_S + _S_PER_STEP * programme.num_steps:
        return Ending(Stop.TIME_LIMIT)
    while search.limits.remaining_s > MARGIN_S:
        status = _run_backend(programme, search, backend, excluded)
        if search.is_done:
            return Ending(Stop.GAP)
        if status == "infeasible":
            if search.plan is None:
                return Ending(Stop.PROOF, infeasible=True)
            raise BackendError("the back-end denies a plan that the problem accepts")
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
    for message in backend.messages(job, until=limits.work_until):
        chosen = message.get("chosen")
        if chosen is not None and not search.offer(cost.to_plan(programme.route(chosen))):
            excluded.append(chosen)
        if message.get("bound") is not None:
            search.tighten_bound(_believable(message["bound"] / programme.scale, search.objective))
        status = message.get("status", status)
    return status


def _believable(bound: float, objective: float | None) -> float:
    """Cut a bound to what the known plan lets it be.

    Raises
    ------
    BackendError
        When it is above the objective of that plan by more than rounding.
    """
    if objective is None:
        return max(0.0, bound)
    if bound > objective + CLAIM_TOLERANCE * max(1e-9, objective):
        raise BackendError(
            f"the back-end claims bound {bound!r}; the problem accepts a plan of {objective!r}"
        )
    return min(max(0.0, bound), objective)
