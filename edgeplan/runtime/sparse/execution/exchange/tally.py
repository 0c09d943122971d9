"""How many messages a device exchanges in the collectives of a plan: they are run with nothing in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from edgeplan.models.sparse_update.order import sequence_of
from edgeplan.models.sparse_update.plan_cost import PlanCost
from edgeplan.runtime.sparse.execution.exchange.aggregation import ranks_of
from edgeplan.runtime.sparse.execution.exchange.ways import begun


class Tally:
    """A link that carries nothing, and counts the messages."""

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0

    def send(self, values: Tensor, target: int) -> None:
        """Count a message to another device."""
        del values, target
        self.sent += 1

    def receive(self, count: int, source: int) -> Tensor:
        """Count a message from another device; its values are zeros."""
        return next(self.receive_all([count], source))

    def receive_all(self, counts: Sequence[int], source: int) -> Iterator[Tensor]:
        """Count messages from another device."""
        del source
        self.received += len(counts)
        return iter([torch.zeros(count) for count in counts])

    def finish(self) -> None:
        """Nothing is under way."""


def tally_of(cost: PlanCost, rank: int) -> Tally:
    """Return the messages of one aggregation on a device.

    Parameters
    ----------
    cost
        The plan, with its collectives.
    rank
        Index of the device.

    Examples
    --------
    >>> from edgeplan.models.sparse_update import SparsePlan
    >>> from edgeplan.models.sparse_update.examples import two_layers_two_boards
    >>> device = {"depth": 1, "updates": [{"layer": "fc", "ratio": 1.0}]}
    >>> devices = [{"id": "small", "depth": 0}, {"id": "large", **device}]
    >>> cost = two_layers_two_boards().cost(SparsePlan.from_document({"devices": devices}))
    >>> [(tally.sent, tally.received) for tally in (tally_of(cost, rank) for rank in range(2))]
    [(0, 1), (1, 0)]
    """
    tally, flat = Tally(), cost.instance.broadcast == "flat"
    for index in sequence_of(cost.devices[rank].id, cost.collectives):
        collective = cost.collectives[index]
        members = ranks_of(cost, collective)
        begun(tally, collective.kind, 0, members, rank, flat=flat)(torch.empty(0))
    return tally
