"""The schedule document: who takes part in which round, and with how much work."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edgeplan.models.fields import ANY_ARRAY, Name, NonNegative, PositiveCount, Share
from edgeplan.models.fields import Document as StrictDocument
from edgeplan.models.problem import PlanDocument

KIND = "federated_schedule"


class Client(StrictDocument):
    """A client's part in one round."""

    node: Name
    """Id of the node."""
    local_steps: PositiveCount | None = None
    """Steps between receiving and sending; null is as the instance's training section says."""
    batch_size: PositiveCount | None = None
    """Samples of a step; null is as the instance's training section says."""
    weight: NonNegative | None = None
    """What its update counts beside the others of the round; null is as many as it has samples."""


class Round(StrictDocument):
    """One round: parameters go to its clients, and come back trained to be averaged."""

    clients: Annotated[tuple[Client, ...], ANY_ARRAY, Field(min_length=1)]
    """Who takes part; the others neither receive nor send."""


class FederatedSchedule(PlanDocument):
    """Rounds of federated averaging.

    Examples
    --------
    >>> rounds = [{"clients": [{"node": "a", "local_steps": 5}]}, {"clients": [{"node": "b"}]}]
    >>> document = {"format": "edgeplan/1", "kind": "federated_schedule", "server": "c", "rounds": rounds}
    >>> schedule = FederatedSchedule.from_document(document)
    >>> FederatedSchedule.from_document(schedule.to_document()) == schedule
    True
    """

    format: Literal["edgeplan/1"]
    """Version of the wire format."""
    kind: Literal["federated_schedule"]
    """What this document is."""
    name: Name = "schedule"
    """Title of the schedule."""
    server: Name | None = None
    """Id of the node that averages; null is the instance's server."""
    fixed_share: Share = 0.0
    """Share of a step's time that no batch size changes, of a step with the instance's batch size."""
    rounds: Annotated[tuple[Round, ...], ANY_ARRAY, Field(min_length=1)]
    """The rounds, first to last."""
