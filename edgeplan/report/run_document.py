"""A run report as a page reads it: what it may lack is None, what it has beyond is passed over."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from edgeplan.models.fields import ANY_ARRAY, Count, Name, NonNegative


class Tolerant(BaseModel):
    """Base of documents that others write: known members are strict, unknown ones are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, use_attribute_docstrings=True)


class StageFigures(Tolerant):
    """What one visit took, as planned or as measured."""

    bytes_in: Count | None = None
    """Parameters brought to the node, in bytes."""
    bytes_out: Count | None = None
    """Parameters sent back to the server, in bytes."""
    transfer_in_s: NonNegative | None = None
    """Seconds of bringing them."""
    transfer_out_s: NonNegative | None = None
    """Seconds of sending them back."""
    compute_s: NonNegative | None = None
    """Seconds of training."""
    memory_bytes: NonNegative | None = None
    """Peak memory, in bytes."""

    @property
    def transfer_s(self) -> float | None:
        """Seconds of both transfers; None where neither is known."""
        known = [seconds for seconds in (self.transfer_in_s, self.transfer_out_s) if seconds is not None]
        return sum(known) if known else None


class RunStage(Tolerant):
    """One stage of the plan that ran."""

    node: Name
    """Id of the node."""
    layers: Annotated[tuple[str, ...], ANY_ARRAY] = ()
    """Own layers."""
    predicted: StageFigures = StageFigures()
    """As the problem predicts."""
    measured: StageFigures = StageFigures()
    """As it ran, of a typical round."""
    frozen_unchanged: bool | None = None
    """Whether every parameter that the stage does not train kept its bits."""
    frozen_bytes_checked: Count | None = None
    """How many bytes of such parameters were compared."""


class TimelineEntry(Tolerant):
    """When one visit of a round began and ended, in seconds of the run or of the round."""

    node: Name
    """Id of the node."""
    start_s: float
    """Begin of the transfer to the node."""
    transfer_in_s: NonNegative = 0.0
    """Seconds of that transfer."""
    compute_start_s: float
    """Begin of the training."""
    compute_s: NonNegative
    """Seconds of the training."""
    end_s: float
    """End of the last transfer."""


class RunRound(Tolerant):
    """One round over all stages."""

    round: Count
    """Number of the round."""
    time_s: NonNegative | None = None
    """Measured seconds."""
    predicted_time_s: NonNegative | None = None
    """Predicted seconds."""
    bytes_moved: Count | None = None
    """Measured bytes of all transfers."""
    loss: float | None = None
    """Loss after the round."""
    accuracy: float | None = None
    """Accuracy after the round, 0 to 1."""
    timeline: Annotated[tuple[TimelineEntry, ...], ANY_ARRAY] = ()
    """The visits as measured."""


class RunNode(Tolerant):
    """A node's process and its share of the data."""

    node: Name
    """Id of the node."""
    rank: Count | None = None
    """Rank of its process."""
    samples: Count | None = None
    """Training samples."""
    label_counts: Annotated[tuple[Count, ...], ANY_ARRAY] | None = None
    """Training samples by label."""


class Totals(Tolerant):
    """Sums over the run."""

    predicted_round_s: NonNegative | None = None
    """Predicted seconds of a round."""
    measured_round_s: NonNegative | None = None
    """Measured seconds of a typical round."""
    predicted_bytes_per_round: Count | None = None
    """Predicted bytes of a round."""
    measured_bytes_per_round: NonNegative | None = None
    """Measured bytes of a round."""
    bytes_equal: bool | None = None
    """Whether every transfer moved what was predicted, to the byte."""
    frozen_unchanged: bool | None = None
    """Whether no stage touched what it does not train."""
    accuracy: float | None = None
    """Accuracy at the end, 0 to 1."""


class Baseline(Tolerant):
    """The same data and model trained another way, for comparison."""

    name: Name = "FedAvg"
    """What it is called."""
    rounds: Annotated[tuple[RunRound, ...], ANY_ARRAY] = ()
    """Its rounds."""
    accuracy: float | None = None
    """Its accuracy at the end, 0 to 1."""
    bytes_per_round: NonNegative | None = None
    """Its bytes of a round."""
    snake_accuracy_ratio: float | None = None
    """Accuracy of the run over that of the baseline."""
    snake_bytes_ratio: float | None = None
    """Bytes of the run over those of the baseline."""
    device_iterations: NonNegative | None = None
    """Local steps of all devices together, the same for both."""

    @property
    def title(self) -> str:
        """Its name as people write it."""
        return "FedAvg" if self.name.lower() == "fedavg" else self.name


class NodePrivacy(Tolerant):
    """What a node has given away of its samples."""

    node: Name
    """Id of the node."""
    samples: Count | None = None
    """That it holds."""
    steps: Count | None = None
    """On them."""
    epsilon: NonNegative | None = None
    """Upper bound, at the run's delta."""


class Privacy(Tolerant):
    """The mechanism of differential privacy, and its guarantee for each node."""

    noise_multiplier: NonNegative | None = None
    """Deviation of the noise in units of the norm."""
    max_gradient_norm: NonNegative | None = None
    """Norm to which the gradient of a sample is clipped."""
    delta: NonNegative | None = None
    """Of the guarantee."""
    seeded: bool = False
    """Whether noise came from a known seed, which voids the guarantee."""
    neighbours: str = "neighbours unknown"
    """Which sets of samples cannot be told apart."""
    accountant: str = ""
    """What reckoned it."""
    nodes: Annotated[tuple[NodePrivacy, ...], ANY_ARRAY] = ()
    """Every node that trained."""


class RunDocument(Tolerant):
    """The report of one run."""

    format: Literal["edgeplan/1"]
    """Version of the wire format."""
    kind: Literal["run"]
    """Says that this is a run report."""
    instance_sha256: str
    """Hash of the instance that was run."""
    name: Name = "run"
    """Title of the run."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """How it was set."""
    machine: dict[str, Any] = Field(default_factory=dict)
    """Where it ran."""
    notes: Annotated[tuple[str, ...], ANY_ARRAY] = ()
    """What a reader should know."""
    nodes: Annotated[tuple[RunNode, ...], ANY_ARRAY] = ()
    """Processes and their data."""
    stages: Annotated[tuple[RunStage, ...], ANY_ARRAY] = ()
    """Stages in visiting order."""
    rounds: Annotated[tuple[RunRound, ...], ANY_ARRAY] = ()
    """Rounds in order."""
    totals: Totals = Totals()
    """Sums over the run."""
    baseline: Baseline | None = None
    """The comparison, where one was made."""
    privacy: Privacy | None = None
    """The guarantee of differential privacy, where there is one."""
    passed: bool | None = None
    """Whether measurement met prediction within the run's tolerances."""
    failures: Annotated[tuple[str, ...], ANY_ARRAY] = ()
    """Where it did not."""
