"""The serial round: when each stage starts and ends, and what it costs, equations (6) to (8)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from edgeplan.models.layer_assignment.plan_cost import PlanCost, Visit, VisitCost
from edgeplan.models.layer_assignment.serial_figures import SerialFigures
from edgeplan.models.network import Node
from edgeplan.models.numbers import exceeds, nearest_float


def earliest_start_s(node: Node, ready_s: float, compute_s: float) -> float | None:
    """Earliest time from `ready_s` on at which `compute_s` fits one window of the node."""  # (7)
    if node.available_s is None:
        return ready_s
    for window_start, window_end in node.available_s:
        start = max(ready_s, window_start)
        if not exceeds(start + compute_s, window_end):
            return start
    return None


def round_cost(figures: SerialFigures, visits: Sequence[Visit]) -> PlanCost:
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
    return PlanCost(
        visits=tuple(costs),
        time_s=now,
        energy_j=energy_j,
        price=price,
        bottleneck_s=max(cost.compute_s for cost in costs),
        bytes_moved=sum(cost.bytes_in + cost.bytes_out for cost in costs),
    )


@dataclass(frozen=True, slots=True)
class _Transfer:
    ends: tuple[int, int]
    num_bytes: int
    seconds: float
    inbound: bool


def _transfers(figures: SerialFigures, visits: Sequence[Visit], position: int) -> list[_Transfer]:
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
    figures: SerialFigures, visit: Visit, transfers: Sequence[_Transfer], now: float | None
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
