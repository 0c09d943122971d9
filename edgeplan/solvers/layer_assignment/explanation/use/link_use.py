"""Which links a plan uses, how long, and whose rate holds them back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from edgeplan.models.explanation import LinkUse
from edgeplan.models.faults import Path, to_pointer
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.layer_assignment.pipeline import hop_between
from edgeplan.models.network import Network

LimitedBy = Literal["uplink", "downlink", "both", "link", "latency"]


@dataclass(frozen=True, slots=True)
class _Traffic:
    """What a plan sends from one node to another: bytes, and seconds in all."""

    source: str
    target: str
    num_bytes: int
    seconds: float
    transfers: int = 1


def link_uses(problem: LayerAssignment, plan: Plan) -> tuple[LinkUse, ...]:
    """Every link that the plan uses, in the order of use.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> stages = [{"node": "fast", "layers": ["conv"]}, {"node": "slow", "layers": ["head"]}]
    >>> uses = link_uses(two_layers_two_nodes(), Plan.from_document({"stages": stages}))
    >>> [(use.source, use.target, use.num_bytes, use.limited_by) for use in uses]
    [('slow', 'fast', 4000, 'latency'), ('fast', 'slow', 4000, 'latency')]
    """
    network = problem.instance.network
    return tuple(_link_use(network, traffic) for traffic in _traffic(problem, plan))


def _traffic(problem: LayerAssignment, plan: Plan) -> Iterator[_Traffic]:
    if problem.is_pipeline:
        return _between_stages(problem, plan)
    return _through_server(problem, plan) if problem.server is not None else _around(problem, plan)


def _around(problem: LayerAssignment, plan: Plan) -> Iterator[_Traffic]:  # (6)
    visits = problem.cost(plan).visits
    if len(visits) > 1:
        for k, visit in enumerate(visits):
            source, target = plan.stages[k - 1].node, plan.stages[k].node
            yield _Traffic(source, target, visit.bytes_in, visit.transfer_in_s)


def _through_server(problem: LayerAssignment, plan: Plan) -> Iterator[_Traffic]:  # (6)
    server = problem.server
    assert server is not None
    for stage, visit in zip(plan.stages, problem.cost(plan).visits, strict=True):
        yield _Traffic(server, stage.node, visit.bytes_in, visit.transfer_in_s)
        yield _Traffic(stage.node, server, visit.bytes_out, visit.transfer_out_s)


def _between_stages(problem: LayerAssignment, plan: Plan) -> Iterator[_Traffic]:  # (10)
    figures, batches = problem.pipeline, problem.instance.micro_batches
    ways = 2 if figures.is_training else 1
    for before, after in pairwise(problem.cost(plan).visits):
        hop = hop_between(figures, before.visit, after.visit)
        nodes = problem.instance.network.nodes
        ends = nodes[before.visit.node].id, nodes[after.visit.node].id
        num_bytes = batches * hop.num_bytes // ways
        yield _Traffic(*ends, num_bytes, batches * hop.forward_s, batches)
        if ways == 2:
            yield _Traffic(*ends[::-1], num_bytes, batches * hop.backward_s, batches)


def _link_use(network: Network, traffic: _Traffic) -> LinkUse:
    latency_s, rate = network.latency_and_rate(traffic.source, traffic.target)
    limited_by, paths = _limited_by(network, traffic.source, traffic.target)
    return LinkUse(
        source=traffic.source,
        target=traffic.target,
        num_bytes=traffic.num_bytes,
        seconds=traffic.seconds,
        latency_s=traffic.transfers * latency_s,
        rate_bit_per_s=rate if math.isfinite(rate) else None,
        limited_by=limited_by,
        pointers=tuple(to_pointer(path) for path in paths),
    )


def _limited_by(network: Network, source: str, target: str) -> tuple[LimitedBy, list[Path]]:
    """Whose rate is the link's, and where it stands."""
    link = network.link_of.get((source, target))
    if link is not None:
        place: Path = ("network", "links", network.links.index(link), "bit_per_s")
        return ("latency", []) if link.bit_per_s is None else ("link", [place])
    a, b = network.index_of[source], network.index_of[target]
    up, down = network.nodes[a].uplink_bit_per_s, network.nodes[b].downlink_bit_per_s
    uplink: Path = ("network", "nodes", a, "uplink_bit_per_s")
    downlink: Path = ("network", "nodes", b, "downlink_bit_per_s")
    if up is None and down is None:
        return "latency", []
    if up == down:
        return "both", [uplink, downlink]
    return (
        ("uplink", [uplink]) if down is None or (up is not None and up < down) else ("downlink", [downlink])
    )
