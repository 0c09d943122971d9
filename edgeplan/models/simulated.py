"""What a simulation of a plan found: distributions over rounds, beside the prediction of the problem."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from edgeplan.models.fields import ANY_ARRAY, Count, Document, Name, NonNegative, Positive, PositiveCount


class JitterSettings(Document):
    """Coefficients of variation of the log-normal factors, of mean 1, on times."""

    compute: NonNegative
    """Of every computation of every round."""
    transfer: NonNegative
    """Of every transfer of every round."""
    node: NonNegative
    """Of a node's computing, the same in all rounds."""


class ChurnSettings(Document):
    """How nodes leave and return; both times are exponential."""

    mean_up_s: Positive
    """Mean seconds for which a node stays."""
    mean_down_s: Positive
    """Mean seconds until it is back."""


class SimulationSettingsDocument(Document):
    """Everything that a simulation depends on beside instance and plan."""

    rounds: PositiveCount
    """Rounds, each by itself; of segment_scheduling a round is a slot."""
    seed: Count
    """Seed of all draws."""
    jitter: JitterSettings
    """Noise on times."""
    churn: ChurnSettings | None
    """Nodes that leave and return; null: nobody does."""
    absent: Literal["wait", "replace", "skip"] | None
    """What is done about a node that is away; null without churn."""
    local_steps: PositiveCount | None
    """Of sparse_update: steps of a device before an aggregation."""


class Distribution(Document):
    """A figure over all rounds; null where it is infinite, since a round did not end."""

    mean: NonNegative | None
    """Mean over the rounds that ended; null if none did."""
    deviation: NonNegative | None
    """Their standard deviation."""
    least: NonNegative | None
    """Least of all."""
    p5: NonNegative | None
    """A share of 5 % of all rounds is at most this; so for the following."""
    p50: NonNegative | None
    """Median."""
    p95: NonNegative | None
    """95 %."""
    p99: NonNegative | None
    """99 %."""
    largest: NonNegative | None
    """Largest of all."""


class Shares(Document):
    """What the mean round's time went to, along the chain of work that decided it, in seconds."""

    compute_s: NonNegative | None
    """Computing."""
    transfer_s: NonNegative | None
    """Transfers."""
    waiting_s: NonNegative | None
    """Waiting for nodes that were away, and for windows."""
    lost_s: NonNegative | None
    """Work that was lost with the node that did it."""


class Predicted(Document):
    """What the problem itself says of a round, without noise and with everybody there."""

    time_s: NonNegative | None
    """Seconds; of segment_scheduling the mean over the slots that were simulated."""
    bytes_moved: NonNegative | None
    """Bytes over all links; null where the problem does not count them."""
    energy_j: NonNegative | None
    """Energy of all nodes; null where the problem has none."""


class Simulation(Document):
    """The answer of ``edgeplan simulate``."""

    format: Literal["edgeplan/1"] = "edgeplan/1"
    """Version of the wire format."""
    kind: Literal["simulation"] = "simulation"
    """Tells this document from results, runs and sweeps."""
    problem: Name
    """Name of the problem."""
    instance_sha256: str
    """Hash of the instance."""
    name: Name
    """Title of the instance."""
    settings: SimulationSettingsDocument
    """How it was set."""
    predicted: Predicted
    """The problem's own figures."""
    time_s: Distribution
    """Seconds of a round."""
    shares: Shares
    """What they went to in the mean."""
    bytes_moved: Distribution
    """Bytes of a round, transfers that were cut short by their share."""
    energy_j: Distribution | None
    """Energy of a round; null where the problem has none."""
    rounds_ended: Count
    """Rounds that came to an end."""
    deadline_s: NonNegative | None
    """Deadline of a round; null if there is none."""
    above_deadline: Annotated[float, Field(ge=0, le=1)] | None
    """Share of rounds that ended later or not at all; null without a deadline."""
    lost_per_round: NonNegative
    """Times that work was lost in a round, in the mean."""
    replaced_per_round: NonNegative
    """Visits that another node took over in a round, in the mean."""
    skipped_per_round: NonNegative
    """Visits, clusters or devices that were left out in a round, in the mean."""
    quantiles_s: Annotated[tuple[NonNegative | None, ...], ANY_ARRAY, Field(min_length=101, max_length=101)]
    """Seconds of a round at 0, 1, ... 100 % of all rounds."""
    notes: Annotated[tuple[str, ...], ANY_ARRAY]
    """What the simulation takes for granted."""
    runtime_s: NonNegative
    """Wall-clock seconds of the simulation."""

    def to_document(self) -> dict[str, Any]:
        """Return the simulation as plain JSON values."""
        return self.model_dump(mode="json")
