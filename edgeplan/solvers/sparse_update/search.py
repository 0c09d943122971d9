"""A solve of sparse_update: its warm start is mended where it must be, then the solver searches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from edgeplan.models.result import Result, SolverInfo
from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.solvers import search as course
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, OnIncumbent
from edgeplan.solvers.sparse_update.choices.cluster import Choices, Cluster
from edgeplan.solvers.sparse_update.infeasible.any_plan import AnyPlan
from edgeplan.solvers.sparse_update.infeasible.infeasibility import Infeasibility
from edgeplan.solvers.sparse_update.infeasible.second_reason import second_reason
from edgeplan.solvers.sparse_update.tree.improvement import Improvement

Search = course.Search[SparseUpdate, SparsePlan]
"""The course of a solve of this problem."""


def run_search(
    body: Callable[[Search], Ending],
    problem: SparseUpdate,
    limits: SolveLimits,
    solver: SolverInfo,
    on_incumbent: OnIncumbent | None,
) -> Result:
    """Run a solver's body from the warm start of the limits; an interrupt keeps what is known."""

    def from_warm_start(search: Search) -> Ending:
        if isinstance(limits.warm_start, SparsePlan):
            search.options["warm_start"] = _what_became(search, limits.warm_start)
        ending = body(search)
        return _blamed(search, ending, ending.claimed_by or solver.name) if ending.infeasible else ending

    return course.run_search(from_warm_start, problem, limits, solver, on_incumbent)


def _blamed(search: Search, ending: Ending, claimed_by: str) -> Ending:
    """Say which limits of an infeasible instance conflict, and have that confirmed."""
    limits = search.limits
    with AnyPlan(limits.seed) as any_plan:
        infeasibility = Infeasibility(search.problem, any_plan, limits.work_until)
        alone = infeasibility.device_without_choice()
        reason = second_reason(search.problem, alone, limits, claimed_by)
        conflicts = infeasibility.conflicts() if limits.blame else ()
    return replace(ending, conflicts=conflicts, detail=reason)


def _what_became(search: Search, plan: SparsePlan) -> str:
    """Offer the plan of a warm start, mended where it must be, and say what became of it."""
    check = search.problem.check(plan)
    if check.feasible and search.offer(plan):
        return "accepted"
    reason = check.violations[0].message
    if check.metrics is None:
        return f"rejected: {reason}"
    cluster = Cluster.of(search.problem)
    improvement = Improvement.of(cluster)
    mended = improvement.improved(cluster.choices(plan))
    if mended is None or not improvement.offer(mended, search):
        return f"rejected: {reason}"
    before = cluster.choices(plan)
    return f"repaired: {reason}; {_changed(before, mended)} of {cluster.num_classes} devices changed"


def _changed(before: Choices, after: Choices) -> int:
    """Classes that do something else."""
    same = (before.depth == after.depth) & (before.option == after.option).all(axis=1)
    return int(np.count_nonzero(~same))
