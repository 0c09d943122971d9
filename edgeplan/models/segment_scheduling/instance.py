"""The instance document of segment_scheduling."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edgeplan.models.fields import ANY_ARRAY, Count, Document, Name, NonNegative, Positive, PositiveCount
from edgeplan.models.model import Model

NOISE = "noise"
"""The name of the noise queue beside the ids of devices and clusters."""


class Device(Document):
    """A device of a cluster."""

    id: Name
    """Unique among devices and clusters."""
    flops_per_s: Positive
    """Speed."""
    memory_bytes: PositiveCount
    """Memory for training."""
    overhead_s: NonNegative
    """Fixed time of a micro-batch on this device, in seconds."""
    compute_power_w: NonNegative
    """Power while computing."""
    max_power_w: NonNegative
    """Highest transmit power."""
    energy_budget_j: Positive
    """Energy allowed per slot in the long run."""


class Cluster(Document):
    """Devices that train one copy of the encoder, and their control unit."""

    id: Name
    """Unique among devices and clusters; also stands for the control unit."""
    d2d_bandwidth_hz: NonNegative
    """Band that the cluster's hops share."""
    node_order: Literal["free", "given"]
    """Whether active devices must stand in the order of `devices`."""
    uplink_max_power_w: NonNegative
    """Highest transmit power of the control unit."""
    uplink_energy_budget_j: Positive
    """Energy allowed to the control unit per slot in the long run."""
    embedding_s: NonNegative
    """Time of the embedding, once a slot, in seconds."""
    decoder_s: NonNegative
    """Time of the decoder, once a micro-batch, in seconds."""
    devices: Annotated[tuple[Device, ...], ANY_ARRAY, Field(min_length=1)]
    """The devices."""


class Training(Document):
    """How every device trains; ``*_bytes`` are per parameter."""

    micro_batch_size: PositiveCount
    """Samples of a micro-batch."""
    max_micro_batches: PositiveCount
    """Most micro-batches of a cluster in a slot."""
    weight_bytes: NonNegative
    """Of a weight, in memory and uploaded."""
    gradient_bytes: NonNegative
    """Of a gradient."""
    optimizer_bytes: NonNegative
    """Of the optimizer's state."""
    in_flight: Literal["1f1b", "gpipe"]
    """Which micro-batches a stage holds."""


class Control(Document):
    """The controller's settings."""

    tradeoff: Positive
    """Price of time V, in 1/s."""
    slots: PositiveCount
    """Length of the horizon."""
    noise_level: Positive
    """Variance of a sample's gradient."""
    noise_budget: Positive
    """Gradient noise allowed per slot in the long run."""


Trace = Annotated[tuple[Positive, ...], ANY_ARRAY]


class Channels(Document):
    """Channel gains: drawn from a seed, or given slot by slot."""

    kind: Literal["rayleigh", "trace"]
    """Rayleigh fading, or a trace."""
    seed: Count | None = None
    """Seed of the draws (rayleigh)."""
    d2d_gain: Positive | None = None
    """Mean gain of a D2D link (rayleigh)."""
    uplink_gain: Positive | None = None
    """Mean gain of an uplink (rayleigh)."""
    floor: Positive = 0.05
    """Least gain relative to the mean (rayleigh)."""
    d2d: dict[Name, Trace] | None = None
    """Gain of each sending device in every slot (trace)."""
    uplink: dict[Name, Trace] | None = None
    """Gain of each control unit in every slot (trace)."""


class SegmentSchedulingInstance(Document):
    """An instance as written; what crosses members is checked by `instance_faults`."""

    format: Literal["edgeplan/1"]
    """Version of the wire format."""
    problem: Literal["segment_scheduling"]
    """Which problem this is an instance of."""
    name: Name = "instance"
    """Title of the instance."""
    model: Model
    """The encoder, block by block."""
    clusters: Annotated[tuple[Cluster, ...], ANY_ARRAY, Field(min_length=1)]
    """The clusters."""
    uplink_bandwidth_hz: NonNegative
    """Band that the uplinks share."""
    noise_w_per_hz: Positive
    """Noise density."""
    training: Training
    """Micro-batches and bytes per parameter."""
    control: Control
    """Trade-off, horizon and noise."""
    channels: Channels
    """Gains of every slot."""
    initial_queues: dict[Name, NonNegative] = Field(default_factory=dict)
    """Queues to begin with, by device, cluster or ``noise``; 0 where absent."""
