"""A result beside its instance: the plan, its metrics, and what the problem itself says of it."""

from __future__ import annotations

from dataclasses import dataclass

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.result import Result
from edgeplan.models.violation import Check
from edgeplan.report.plan_metrics import PlanMetrics, metrics_of, plan_of


@dataclass(frozen=True)
class Judged:
    """A result with what its plan and metrics read as.

    Parameters
    ----------
    result
        The result.
    plan
        Its plan; None where it has none, or one that is no assignment of the instance given.
    metrics
        Its metrics; None where it has none.
    check
        The instance's verdict; None without an instance.
    """

    result: Result
    plan: Plan | None
    metrics: PlanMetrics | None
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


def judge(problem: LayerAssignment | None, result: Result) -> Judged:
    """Read the plan of a result, and have the instance judge it where it can."""
    plan = plan_of(result)
    check = None
    if problem is not None and plan is not None:
        check = problem.check(plan)
        plan = None if check.metrics is None else plan
    return Judged(result, plan, metrics_of(result), check)
