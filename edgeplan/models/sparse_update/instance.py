"""The instance document of sparse_update."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from edgeplan.models.fields import ANY_ARRAY, Count, Document, Name, NonNegative, Positive, PositiveCount
from edgeplan.models.network import Network
from edgeplan.models.reading import SILENT_TAG

Ratio = Annotated[float, Field(gt=0, le=1)]
RatioOrNone = Annotated[float, Field(ge=0, le=1)]


class Option(Document):
    """Training a part of a layer's weights: its most important input channels."""

    ratio: Ratio
    """Share of the input channels."""
    memory_bytes: Count
    """Memory that it takes, for the whole batch."""
    contribution: NonNegative
    """What it brings."""
    parameters: Count
    """Parameters trained."""
    weight_gradient_flops: NonNegative
    """FLOPs of their gradient, per sample."""


class SparseLayer(Document):
    """A layer, with the parts of it that can be trained."""

    name: Name
    """Unique name."""
    forward_flops: NonNegative
    """FLOPs of the forward pass, per sample."""
    input_gradient_flops: NonNegative
    """FLOPs of the gradient with respect to the layer's input, per sample."""
    bias_bytes: Count
    """Memory of training the bias, for the whole batch."""
    bias_parameters: Count = 0
    """Parameters of the bias."""
    options: Annotated[tuple[Option, ...], ANY_ARRAY]
    """Parts of the weights, from small to large."""

    @cached_property
    def option_of(self) -> dict[float, Option]:
        """Options by ratio."""
        return {option.ratio: option for option in self.options}


class Device(Document):
    """A device that trains a replica."""

    id: Name
    """Unique name."""
    memory_bytes: PositiveCount
    """Memory for training."""
    flops_per_s: Positive
    """Speed."""
    weight: NonNegative = 1.0
    """Weight of its contribution in the objective."""
    max_step_s: NonNegative | None = None
    """Longest step; null is no limit."""


class SharedNetwork(Document):
    """One latency and one rate between any two devices."""

    latency_s: NonNegative
    """Latency of a message."""
    bit_per_s: Positive | None
    """Rate; null is unlimited."""


class Training(Document):
    """The step that every device makes."""

    batch_size: PositiveCount
    """Samples of a step."""
    gradient_bytes: NonNegative
    """Bytes of a parameter on its way."""


class Coverage(Document):
    """By how many devices each layer must be updated."""

    default: Count = 0
    """Of layers that are not named."""
    layers: dict[Name, Count] = Field(default_factory=dict)
    """By name."""


class Objective(Document):
    """Weights of the objective's terms; a weight left out is 0."""

    contribution: NonNegative = 0.0
    """Of what the updates bring."""
    aggregation_s: NonNegative = 0.0
    """Of the seconds of aggregation, which are subtracted."""


def _network_kind(value: Any) -> str:
    general = isinstance(value, Network) or (isinstance(value, Mapping) and "nodes" in value)
    return f"{SILENT_TAG}general" if general else f"{SILENT_TAG}shared"


AnyNetwork = Annotated[
    Annotated[SharedNetwork, Tag(f"{SILENT_TAG}shared")] | Annotated[Network, Tag(f"{SILENT_TAG}general")],
    Discriminator(_network_kind),
]
Pin = Annotated[tuple[Name, Name, RatioOrNone], ANY_ARRAY]
Forbidden = Annotated[tuple[Name, Name], ANY_ARRAY]


class SparseUpdateInstance(Document):
    """An instance as written; what crosses members is checked by `instance_faults`."""

    format: Literal["edgeplan/1"]
    """Version of the wire format."""
    problem: Literal["sparse_update"]
    """Which problem this is an instance of."""
    name: Name = "instance"
    """Title of the instance."""
    layers: Annotated[tuple[SparseLayer, ...], ANY_ARRAY, Field(min_length=1)]
    """From input to output."""
    depth_contribution: Annotated[tuple[NonNegative | None, ...], ANY_ARRAY]
    """What depth 0, 1, ... to all layers alone brings; null: that depth is not allowed."""
    base_bytes: Count = 0
    """Memory that every device needs in any case."""
    devices: Annotated[tuple[Device, ...], ANY_ARRAY, Field(min_length=1)]
    """The devices."""
    network: AnyNetwork
    """One latency and rate for all, or nodes and links."""
    training: Training
    """Batch and bytes."""
    coverage: Coverage = Coverage()
    """Fewest devices that update a layer."""
    collectives: Literal["canonical", "free"] = "canonical"
    """Whether the collectives follow from the updates, or are a decision."""
    objective: Objective
    """Weights of the objective."""
    nested: bool = False
    """Whether devices with more memory update at least what those with less do."""
    fuse: bool = True
    """Whether slices with the same devices travel as one buffer."""
    broadcast: Literal["flat", "tree"] = "flat"
    """Whether the root of a broadcast sends all copies itself."""
    pin: Annotated[tuple[Pin, ...], ANY_ARRAY] = ()
    """Updates that are fixed: device, layer, ratio; ratio 0 is none."""
    forbid: Annotated[tuple[Forbidden, ...], ANY_ARRAY] = ()
    """Pairs of a device and a layer that it must not update."""

    @cached_property
    def layer_index(self) -> dict[str, int]:
        """Position of each layer, by name."""
        return {layer.name: index for index, layer in enumerate(self.layers)}

    @cached_property
    def device_index(self) -> dict[str, int]:
        """Position of each device, by id."""
        return {device.id: index for index, device in enumerate(self.devices)}
