"""A schedule over its horizon: metrics, plan and instance together, with gaps and budgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from edgeplan.models.problem import Problem
from edgeplan.models.result import OPTIMALITY_GAP, Result
from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.models.segment_scheduling.instance import NOISE
from edgeplan.models.segment_scheduling.queues import budgets_j
from edgeplan.models.violation import Check
from edgeplan.report.schedule.metrics import ScheduleMetrics, schedule_metrics_of


@dataclass(frozen=True)
class Budget:
    """What a budget allows in a slot and what is spent in the mean; in joules, the noise without a unit."""

    name: str
    allowed: float
    mean: float

    @property
    def share(self) -> float:
        """Spent, as a share of what is allowed."""
        return self.mean / self.allowed


@dataclass(frozen=True)
class Horizon:
    """The slots of a result.

    Parameters
    ----------
    metrics
        What they take.
    plan
        What is done in them; None where that is not whole, or not of these slots.
    problem
        The instance, where it is known.
    """

    metrics: ScheduleMetrics
    plan: SegmentPlan | None
    problem: SegmentScheduling | None

    @cached_property
    def gaps(self) -> tuple[float | None, ...]:
        """Relative gap of every slot for the queues that it met; None where no bound is known."""
        bounds = self.plan.slot_bounds if self.plan is not None else ()
        if len(bounds) != len(self.metrics.slots):
            return (None,) * len(self.metrics.slots)
        return tuple(
            None if bound is None or slot.objective is None else _gap(slot.objective, bound)
            for slot, bound in zip(self.metrics.slots, bounds, strict=True)
        )

    @property
    def worst_gap(self) -> float | None:
        """The largest of the gaps; None where one is not known."""
        known = [gap for gap in self.gaps if gap is not None]
        return max(known) if known and len(known) == len(self.gaps) else None

    @property
    def num_proven(self) -> int:
        """Slots whose decision is proven to be the best one."""
        return sum(gap is not None and gap <= OPTIMALITY_GAP for gap in self.gaps)

    @cached_property
    def allowed(self) -> Mapping[str, float]:
        """Every budget by name, the noise last; empty without the instance."""
        if self.problem is None:
            return {}
        instance = self.problem.instance
        return {**budgets_j(instance), NOISE: instance.control.noise_budget}

    @cached_property
    def budgets(self) -> tuple[Budget, ...]:
        """The budgets, the most loaded first; empty without the instance."""
        means = {**self.metrics.mean_energy_j, NOISE: self.metrics.mean_noise}
        budgets = (Budget(name, limit, means.get(name, 0.0)) for name, limit in self.allowed.items())
        return tuple(sorted(budgets, key=lambda budget: -budget.share))

    @property
    def most_exceeded(self) -> tuple[str, float]:
        """Whose budget is exceeded most, and by which share of it; of energies alone without the instance."""
        if self.budgets:
            return self.budgets[0].name, max(0.0, self.budgets[0].share - 1)
        return max(self.metrics.budget_violation.items(), key=lambda item: item[1], default=("", 0.0))


def _gap(objective: float, bound: float) -> float:
    return max(0.0, objective - bound) / max(1e-12, abs(objective))


def horizon_of(problem: Problem | None, result: Result, check: Check | None) -> Horizon | None:
    """Return the slots of a segment_scheduling result; None where it has no metrics.

    Raises
    ------
    InvalidInputError
        When plan or metrics are not what the problem's are.
    """
    metrics = schedule_metrics_of(result)
    if metrics is None:
        return None
    scheduling = problem if isinstance(problem, SegmentScheduling) else None
    return Horizon(metrics, _plan_of(result, metrics, check), scheduling)


def _plan_of(result: Result, metrics: ScheduleMetrics, check: Check | None) -> SegmentPlan | None:
    if result.plan is None or (check is not None and check.metrics is None):
        return None
    plan = SegmentPlan.from_document(result.plan, source="/plan of the result")
    return plan if len(plan.slots) == len(metrics.slots) else None
