"""The answer: for every slot, each cluster's stages, micro-batches, bands and powers."""

from __future__ import annotations

from typing import Annotated, Any

from edgeplan.models.fields import ANY_ARRAY, Document, Name, NonNegative, PositiveCount
from edgeplan.models.problem import PlanDocument


class StagePlan(Document):
    """One stage, with band and power of the hop behind it; the last has none."""

    device: Name
    """Id of the device."""
    layers: Annotated[tuple[Name, ...], ANY_ARRAY]
    """Blocks of the stage, a run in model order."""
    bandwidth_hz: NonNegative | None = None
    """Band of the hop to the next stage."""
    power_w: NonNegative | None = None
    """Transmit power of that hop."""


class UplinkPlan(Document):
    """Band and power of a control unit."""

    bandwidth_hz: NonNegative
    """Band."""
    power_w: NonNegative
    """Transmit power."""


class ClusterPlan(Document):
    """What one cluster does in a slot; a cluster that can do nothing is skipped."""

    id: Name
    """Id of the cluster."""
    skipped: bool = False
    """Whether no segmentation fits the devices present, and the cluster rests."""
    micro_batches: PositiveCount | None = None
    """Number of micro-batches; left out if skipped."""
    uplink: UplinkPlan | None = None
    """The upload; may be left out where no bits flow, or if skipped."""
    stages: Annotated[tuple[StagePlan, ...], ANY_ARRAY] = ()
    """Stages in pipeline order; empty if skipped."""


class SlotPlan(Document):
    """What all clusters do in one slot."""

    clusters: Annotated[tuple[ClusterPlan, ...], ANY_ARRAY]
    """Each cluster once."""

    def to_document(self) -> dict[str, Any]:
        """Return the slot as plain JSON values, without members that say nothing."""
        return self.model_dump(mode="json", exclude_defaults=True)


class SegmentPlan(PlanDocument):
    """The slots in order, and what was proven of each.

    Examples
    --------
    >>> stages = [{"device": "phone", "layers": ["encoder.0"]}]
    >>> slot = {"clusters": [{"id": "c0", "micro_batches": 2, "stages": stages}]}
    >>> plan = SegmentPlan.from_document({"slots": [slot]})
    >>> SegmentPlan.from_document(plan.to_document()) == plan
    True
    """

    slots: Annotated[tuple[SlotPlan, ...], ANY_ARRAY]
    """The slots, first to last."""
    slot_bounds: Annotated[tuple[float | None, ...], ANY_ARRAY] = ()
    """Proven lower bound of each slot's problem, for the queues met; empty or null where none is known."""

    def to_document(self) -> dict[str, Any]:
        """Return the plan as plain JSON values."""
        return {
            "slots": [slot.to_document() for slot in self.slots],
            "slot_bounds": list(self.slot_bounds),
        }
