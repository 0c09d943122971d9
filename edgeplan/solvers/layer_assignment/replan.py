"""Planning anew after the instance has changed: from the old plan, and with what the change-over moves."""

from __future__ import annotations

from dataclasses import replace

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.layer_assignment.migration import migration
from edgeplan.models.replanned import Replanned
from edgeplan.models.result import Result
from edgeplan.solvers.layer_assignment.heuristic.repair import repair
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.registry import Solver
from edgeplan.solvers.search import OnIncumbent

_SHARE_OF_REPAIR, _LONGEST_REPAIR_S = 0.2, 3.0


def replan(
    problem: LayerAssignment,
    old: Plan,
    solver: Solver,
    limits: SolveLimits,
    on_incumbent: OnIncumbent | None = None,
) -> Result:
    """Solve the changed instance from the old plan, repaired; the result is never worse than that.

    Parameters
    ----------
    problem
        The instance as it is now.
    old
        The plan until now; nodes and layers of it may be gone.
    solver
        Any of the problem's solvers.
    limits
        Time, gap, seed and workers; a warm start in them gives way to the old plan.

    Returns
    -------
    Result
        With `replanned`: the objective of the repaired plan, and what must move.
    """
    until = limits.share(_SHARE_OF_REPAIR, most_s=_LONGEST_REPAIR_S)
    repaired = repair(problem, old, until=until)
    result = solver.solve(problem, replace(limits, warm_start=repaired), on_incumbent)
    new = None if result.plan is None else problem.plan_from_document(result.plan)
    replanned = Replanned(
        repair=_what_became(problem, old, repaired),
        repaired_objective=None if repaired is None else problem.objective(repaired),
        migration=None if new is None else migration(problem, old, new),
    )
    return result.model_copy(update={"replanned": replanned})


def _what_became(problem: LayerAssignment, old: Plan, repaired: Plan | None) -> str:
    if repaired is not None and repaired == old:
        return "kept: the old plan holds in the changed instance"
    reason = next((violation.message for violation in problem.violations(old)), "its time has no value")
    if repaired is None:
        return f"not repaired: {reason}"
    changed = sum(stage not in old.stages for stage in repaired.stages)
    return f"repaired: {reason}; {changed} of {len(repaired.stages)} stages changed"
