"""A result beside its instance: the plan, its metrics, and what the problem itself says of it."""

from __future__ import annotations

from dataclasses import dataclass

from edgeplan.models.layer_assignment import Plan
from edgeplan.models.problem import Problem
from edgeplan.models.result import Result
from edgeplan.models.violation import Check
from edgeplan.report.plan_metrics import PlanMetrics, metrics_of, plan_of
from edgeplan.report.schedule.horizon import Horizon, horizon_of
from edgeplan.report.updates.updates import Updates, updates_of


@dataclass(frozen=True)
class Judged:
    """A result with what its plan and metrics read as.

    Parameters
    ----------
    result
        The result.
    plan
        Its plan of layer_assignment; None where it has none, or one that is no assignment of the instance
        given.
    metrics
        Its metrics; None where it has none.
    horizon
        Its slots, of segment_scheduling; None where it has none.
    updates
        Its updates, of sparse_update; None where it has none, or without an instance.
    check
        The instance's verdict; None without an instance.
    """

    result: Result
    plan: Plan | None
    metrics: PlanMetrics | None
    horizon: Horizon | None
    updates: Updates | None
    check: Check | None

    @property
    def solver(self) -> str:
        """Name and version of the solver."""
        return f"{self.result.solver.name} {self.result.solver.version}".strip()

    @property
    def stage_of(self) -> dict[str, int]:
        """Stage, from 1 on, of every node that the plan uses."""
        stages = self.plan.stages if self.plan else ()
        return {stage.node: k for k, stage in enumerate(stages, start=1)}


def judge(problem: Problem | None, result: Result) -> Judged:
    """Read the plan of a result, and have the instance judge it where it can."""
    plan, check = plan_of(result), None
    if problem is not None and result.plan is not None:
        check = problem.check(problem.plan_from_document(result.plan, source="/plan of the result"))
        plan = None if check.metrics is None else plan
    horizon, updates = horizon_of(problem, result, check), updates_of(problem, result, check)
    return Judged(result, plan, metrics_of(result), horizon, updates, check)
