"""The problem: an instance, validated once, that judges plans slot by slot and knows no solver."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar

from edgeplan.errors import InvalidPlanError, UsageError
from edgeplan.models.document import sha256
from edgeplan.models.faults import MAX_COLLECTED, Fault
from edgeplan.models.reading import read_document
from edgeplan.models.segment_scheduling.channels import Gains, slot_gains
from edgeplan.models.segment_scheduling.faults import instance_faults
from edgeplan.models.segment_scheduling.instance import NOISE, SegmentSchedulingInstance
from edgeplan.models.segment_scheduling.plan import SegmentPlan
from edgeplan.models.segment_scheduling.queues import Queues, budgets_j
from edgeplan.models.segment_scheduling.segments import Segments
from edgeplan.models.segment_scheduling.slot_cost import SlotCost, slot_cost
from edgeplan.models.segment_scheduling.violations import limit_violations, structure_violations
from edgeplan.models.violation import Check, Violation


@dataclass(frozen=True)
class SegmentScheduling:
    """An instance of segment_scheduling with its objective, metrics and violations.

    Parameters
    ----------
    instance
        The instance as read.
    document
        The plain JSON values that it was read from; never changed.
    """

    name: ClassVar[str] = "segment_scheduling"
    instance_kind: ClassVar[type[SegmentSchedulingInstance]] = SegmentSchedulingInstance
    plan_kind: ClassVar[type[SegmentPlan]] = SegmentPlan
    objective_unit: ClassVar[str] = ""

    instance: SegmentSchedulingInstance
    document: dict[str, Any] = field(repr=False)

    @classmethod
    def from_document(
        cls, document: Any, *, also: list[Fault] | None = None, source: str | None = None
    ) -> SegmentScheduling:
        """Read a parsed instance document.

        Parameters
        ----------
        document
            Plain JSON values without notes.
        also
            Faults of the text, reported together with those found here.
        source
            Name of the document in messages.

        Raises
        ------
        InvalidInputError
            With every fault of the document.
        """
        faults = [*(also or []), *islice(instance_faults(document), MAX_COLLECTED)]
        instance = read_document(document, SegmentSchedulingInstance, also=faults, source=source)
        return cls(instance, document)

    @cached_property
    def instance_sha256(self) -> str:
        """Hash of the document, as formats.md defines it."""
        return sha256(self.document)

    def to_document(self) -> dict[str, Any]:
        """Return the instance as plain JSON values, members that were left out left out."""
        return copy.deepcopy(self.document)

    def replace(self, **members: Any) -> SegmentScheduling:
        """Return a copy with top-level members of the document replaced, validated anew.

        Raises
        ------
        InvalidInputError
            When the changed document breaks a rule.
        """
        return SegmentScheduling.from_document(self.document | members)

    def plan_from_document(self, document: Any, *, source: str | None = None) -> SegmentPlan:
        """Read a plan of this problem."""
        return SegmentPlan.from_document(document, source=source)

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

    def violations(self, plan: SegmentPlan) -> tuple[Violation, ...]:
        """Every rule that the plan breaks."""
        return self.check(plan).violations

    def costs(self, plan: SegmentPlan) -> list[SlotCost]:
        """Cost of every slot.

        Raises
        ------
        InvalidPlanError
            When the plan's structure is broken.
        """
        broken = list(structure_violations(self.segments, plan))
        if broken:
            raise InvalidPlanError([Fault(tuple(v.pointer.split("/")[1:]), v.message) for v in broken])
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
