"""The problem: an instance, validated once, that judges plans slot by slot and knows no solver."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from edgeplan.errors import UsageError
from edgeplan.models.problem import StatedProblem, refuse
from edgeplan.models.segment_scheduling.channels import Gains, slot_gains
from edgeplan.models.segment_scheduling.faults import instance_faults
from edgeplan.models.segment_scheduling.instance import NOISE, SegmentSchedulingInstance
from edgeplan.models.segment_scheduling.plan import SegmentPlan
from edgeplan.models.segment_scheduling.queues import Queues, budgets_j
from edgeplan.models.segment_scheduling.segments import Segments
from edgeplan.models.segment_scheduling.slot_cost import SlotCost, slot_cost
from edgeplan.models.segment_scheduling.violations import limit_violations, structure_violations
from edgeplan.models.violation import Check


@dataclass(frozen=True)
class SegmentScheduling(StatedProblem[SegmentSchedulingInstance, SegmentPlan]):
    """An instance of segment_scheduling with its objective, metrics and violations."""

    name: ClassVar[str] = "segment_scheduling"
    instance_kind: ClassVar[type[SegmentSchedulingInstance]] = SegmentSchedulingInstance
    plan_kind: ClassVar[type[SegmentPlan]] = SegmentPlan
    instance_faults = staticmethod(instance_faults)

    @cached_property
    def segments(self) -> Segments:
        """Time and memory of runs of blocks."""
        return Segments(self.instance)

    @property
    def initial_queues(self) -> Queues:
        """Queues that the first slot meets."""
        return Queues.initial(self.instance)

    def gains(self) -> Iterator[Gains]:
        """Yield the channel gains slot by slot."""
        return slot_gains(self.instance)

    def check(self, plan: SegmentPlan) -> Check:
        """Replay any plan slot by slot: metrics, objective and every violation.

        Examples
        --------
        >>> from edgeplan.models.segment_scheduling.examples import two_blocks_two_phones
        >>> problem = two_blocks_two_phones()
        >>> stages = [{"device": "slow", "layers": ["encoder.0", "encoder.1"]}]
        >>> entry = {"id": "home", "micro_batches": 2, "stages": stages}
        >>> entry["uplink"] = {"bandwidth_hz": 2e6, "power_w": 0.1}
        >>> plan = SegmentPlan.from_document({"slots": [{"clusters": [entry]}]})
        >>> [violation.rule for violation in problem.check(plan).violations]
        ['uplink_band', 'memory']
        """
        broken = tuple(structure_violations(self.segments, plan))
        if broken:
            return Check(self.name, None, None, broken)
        costs = self._costs(plan)
        found = tuple(limit_violations(self.segments, plan, costs))
        return Check(self.name, self._objective(costs), self._metrics(costs), found)

    def objective(self, plan: SegmentPlan) -> float:
        """Sum of the slots' objectives along the plan.

        Raises
        ------
        InvalidPlanError
            When the plan's structure is broken.
        """
        return self._objective(self.costs(plan))

    def metrics(self, plan: SegmentPlan) -> dict[str, Any]:
        """Averages and slots of the plan.

        Raises
        ------
        InvalidPlanError
            When the plan's structure is broken.
        """
        return self._metrics(self.costs(plan))

    def costs(self, plan: SegmentPlan) -> list[SlotCost]:
        """Cost of every slot.

        Raises
        ------
        InvalidPlanError
            When the plan's structure is broken.
        """
        refuse(list(structure_violations(self.segments, plan)))
        return self._costs(plan)

    def _costs(self, plan: SegmentPlan) -> list[SlotCost]:
        queues, costs = self.initial_queues, []
        for slot, gains in zip(plan.slots, self.gains(), strict=True):
            cost = slot_cost(self.segments, slot, gains, queues)
            if not math.isfinite(cost.objective) or not math.isfinite(sum(cost.energy_j.values())):
                raise UsageError(
                    "the plan's time, energy or objective is beyond the range of floating-point numbers; "
                    "correct the units of speeds, bands, powers, gains or bytes"
                )
            costs.append(cost)
            queues = cost.queues
        return costs

    @staticmethod
    def _objective(costs: list[SlotCost]) -> float:
        return math.fsum(cost.objective for cost in costs)

    def _metrics(self, costs: list[SlotCost]) -> dict[str, Any]:
        slots, budgets = len(costs), budgets_j(self.instance)
        mean_energy_j = {name: math.fsum(cost.energy_j[name] for cost in costs) / slots for name in budgets}
        mean_noise = math.fsum(cost.noise for cost in costs) / slots
        violation = {name: max(0.0, mean_energy_j[name] / budgets[name] - 1) for name in budgets}
        return {
            "mean_latency_s": math.fsum(cost.latency_s for cost in costs) / slots,
            "mean_energy_j": mean_energy_j,
            "mean_noise": mean_noise,
            "max_queue": {
                **{name: max(cost.queues.energy_j[name] for cost in costs) for name in budgets},
                NOISE: max(cost.queues.noise for cost in costs),
            },
            "budget_violation": violation,
            "slots": [cost.to_document() for cost in costs],
        }
