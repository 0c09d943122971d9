"""A solve of layer_assignment: its warm start is repaired where it must be, then the solver searches."""

from __future__ import annotations

from collections.abc import Callable

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.result import Result, SolverInfo
from edgeplan.solvers import search as course
from edgeplan.solvers.layer_assignment.heuristic.repair import repair
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, OnIncumbent

_SHARE_OF_REPAIR, _LONGEST_REPAIR_S = 0.2, 3.0

Search = course.Search[LayerAssignment, Plan]


def run_search(
    body: Callable[[Search], Ending],
    problem: LayerAssignment,
    limits: SolveLimits,
    solver: SolverInfo,
    on_incumbent: OnIncumbent | None,
) -> Result:
    """Run a solver's body from the warm start of the limits; an interrupt keeps what is known."""

    def from_warm_start(search: Search) -> Ending:
        if limits.warm_start is not None:
            assert isinstance(limits.warm_start, Plan)
            search.options["warm_start"] = _what_became(search, limits.warm_start)
        return body(search)

    return course.run_search(from_warm_start, problem, limits, solver, on_incumbent)


def _what_became(search: Search, plan: Plan) -> str:
    """Offer the plan of a warm start, repaired where it must be, and say what became of it."""
    violations = search.problem.violations(plan)
    if not violations and search.offer(plan):
        return "accepted"
    reason = violations[0].message if violations else "its objective has no value"
    until = search.limits.share(_SHARE_OF_REPAIR, most_s=_LONGEST_REPAIR_S)
    repaired = repair(search.problem, plan, until=until)
    if repaired is None or not search.offer(repaired):
        return f"rejected: {reason}"
    changed = sum(stage not in plan.stages for stage in repaired.stages)
    return f"repaired: {reason}; {changed} of {len(repaired.stages)} stages changed"
