"""The answer: depth and updates of every device, and the collectives in their one order."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from edgeplan.models.fields import ANY_ARRAY, Count, Document, Name
from edgeplan.models.problem import PlanDocument
from edgeplan.models.sparse_update.instance import Ratio, RatioOrNone


class Update(Document):
    """A part of a layer's weights that a device trains."""

    layer: Name
    """Name of the layer."""
    ratio: Ratio
    """Ratio of one of its options."""


class DevicePlan(Document):
    """What one device updates."""

    id: Name
    """Id of the device."""
    depth: Count
    """Layers from the last one on whose biases it trains."""
    updates: Annotated[tuple[Update, ...], ANY_ARRAY] = ()
    """Weights that it trains."""


class Slice(Document):
    """Channels of a layer between two ratios, or its bias."""

    layer: Name
    """Name of the layer."""
    bias: bool = False
    """Whether it is the bias."""
    from_: RatioOrNone | None = Field(default=None, alias="from")
    """Ratio below its first channel; none for a bias."""
    to: Ratio | None = None
    """Ratio of its last channel; none for a bias."""


class Collective(Document):
    """An all-reduce among its members, or a broadcast from the root to the others."""

    kind: Literal["all_reduce", "broadcast"]
    """Which."""
    root: Name | None = None
    """Id of the device that sends, of a broadcast."""
    members: Annotated[tuple[Name, ...], ANY_ARRAY]
    """Ids of all that take part, the root among them."""
    slices: Annotated[tuple[Slice, ...], ANY_ARRAY]
    """What travels, as one buffer."""


class SparsePlan(PlanDocument):
    """Updates of every device, and how they are aggregated.

    Examples
    --------
    >>> device = {"id": "pi-0", "depth": 1, "updates": [{"layer": "fc", "ratio": 0.25}]}
    >>> plan = SparsePlan.from_document({"devices": [device]})
    >>> SparsePlan.from_document(plan.to_document()) == plan
    True
    """

    devices: Annotated[tuple[DevicePlan, ...], ANY_ARRAY]
    """Each device once."""
    collectives: Annotated[tuple[Collective, ...], ANY_ARRAY] | None = None
    """In the order that all devices keep; the canonical ones where left out."""

    def to_document(self) -> dict[str, Any]:
        """Return the plan as plain JSON values, without members that say nothing."""
        document: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        for device in document["devices"]:
            device.setdefault("updates", [])
        return document
