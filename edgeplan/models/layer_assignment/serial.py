"""The serial round: when each stage starts and ends, and what it costs, equations (6) to (8)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from edgeplan.models.layer_assignment.stage_figures import StageFigures
from edgeplan.models.network import Node

LIMIT_TOLERANCE = 1e-9


def exceeds(value: float, limit: float) -> bool:
    """Say whether `value` breaks an upper limit given as a float.

    Examples
    --------
    >>> exceeds(10.0 + 1e-9, 10.0), exceeds(10.0 + 1e-7, 10.0)
    (False, True)
    """
    return value > limit + LIMIT_TOLERANCE * max(1.0, limit)


@dataclass(frozen=True, slots=True)
class Visit:
    """A stage with known names: index of the node and indices of its own layers."""

    node: int
    own_layers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class VisitCost:
    """What one stage takes; times in seconds, None from the first stage that fits no window on."""

    visit: Visit
    memory_bytes: int
    compute_s: float
    transfer_in_s: float
    transfer_out_s: float
    bytes_in: int
    bytes_out: int
    start_s: float | None
    compute_start_s: float | None
    end_s: float | None


@dataclass(frozen=True, slots=True)
class RoundCost:
    """What the round takes."""

    visits: tuple[VisitCost, ...]
    energy_j: float
    price: float

    @property
    def time_s(self) -> float | None:
        """End of the last stage; None where a stage fits no window."""
        return self.visits[-1].end_s

    @property
    def bottleneck_s(self) -> float:
        """Largest compute time of a stage."""
        return max(visit.compute_s for visit in self.visits)

    @property
    def bytes_moved(self) -> int:
        """All bytes brought in and returned."""
        return sum(visit.bytes_in + visit.bytes_out for visit in self.visits)


def nearest_float(number: Fraction) -> float:
    """Return the nearest float, infinity beyond the largest."""
    try:
        return float(number)
    except OverflowError:
        return math.inf


def earliest_start_s(node: Node, ready_s: float, compute_s: float) -> float | None:
    """Earliest time from `ready_s` on at which `compute_s` fits one window of the node."""  # (7)
    if node.available_s is None:
        return ready_s
    for window_start, window_end in node.available_s:
        start = max(ready_s, window_start)
        if not exceeds(start + compute_s, window_end):
            return start
    return None


def round_cost(figures: StageFigures, visits: Sequence[Visit]) -> RoundCost:
    """Cost a round stage by stage.

    Parameters
    ----------
    figures
        The instance's equations (4) to (6).
    visits
        At least one stage, in visiting order.
    """
    costs: list[VisitCost] = []
    now: float | None = 0.0
    energy_j = price = 0.0
    for position, visit in enumerate(visits):
        transfers = _transfers(figures, visits, position)
        cost = _visit_cost(figures, visit, transfers, now)
        costs.append(cost)
        now = cost.end_s
        node = figures.instance.network.nodes[visit.node]
        energy_j += node.compute_power_w * cost.compute_s  # (8)
        price += node.price_per_s * cost.compute_s
        for transfer in transfers:
            sender, receiver = (figures.instance.network.nodes[end] for end in transfer.ends)
            energy_j += sender.transmit_power_w * transfer.seconds
            price += (sender.price_per_s + receiver.price_per_s) * transfer.seconds
    return RoundCost(tuple(costs), energy_j, price)


@dataclass(frozen=True, slots=True)
class _Transfer:
    ends: tuple[int, int]
    num_bytes: int
    seconds: float
    inbound: bool


def _transfers(figures: StageFigures, visits: Sequence[Visit], position: int) -> list[_Transfer]:
    """List the transfers of one stage."""  # (6)
    network, visit = figures.instance.network, visits[position]
    amount = figures.bytes_to_update(visit.own_layers)

    def transfer(source: int, target: int, num_bytes: Fraction, *, inbound: bool) -> _Transfer:
        ends = network.nodes[source].id, network.nodes[target].id
        seconds = network.transfer_s(*ends, nearest_float(num_bytes))
        return _Transfer((source, target), math.ceil(num_bytes), seconds, inbound)

    if figures.instance.server is not None:
        server = network.index_of[figures.instance.server]
        returned = figures.bytes_to_return(visit.own_layers)
        return [
            transfer(server, visit.node, amount, inbound=True),
            transfer(visit.node, server, returned, inbound=False),
        ]
    if len(visits) == 1:
        return []
    return [transfer(visits[position - 1].node, visit.node, amount, inbound=True)]


def _visit_cost(
    figures: StageFigures, visit: Visit, transfers: Sequence[_Transfer], now: float | None
) -> VisitCost:
    node = figures.instance.network.nodes[visit.node]
    compute_s = figures.compute_s(node, visit.own_layers)
    inbound = [transfer for transfer in transfers if transfer.inbound]
    outbound = [transfer for transfer in transfers if not transfer.inbound]
    in_s, out_s = (sum(transfer.seconds for transfer in some) for some in (inbound, outbound))
    begin = None if now is None else earliest_start_s(node, now + in_s, compute_s)  # (7)
    return VisitCost(
        visit=visit,
        memory_bytes=figures.memory_bytes(visit.own_layers),
        compute_s=compute_s,
        transfer_in_s=in_s,
        transfer_out_s=out_s,
        bytes_in=sum(transfer.num_bytes for transfer in inbound),
        bytes_out=sum(transfer.num_bytes for transfer in outbound),
        start_s=now,
        compute_start_s=begin,
        end_s=None if begin is None else begin + compute_s + out_s,
    )
