"""The ways between the server and clients that move parameters at the same time, equations (2), (3) and (5).

Down, the last bit leaves the server and then travels for the latency; up, the first bit travels for the
latency and then waits for its part of the server's link.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from edgeplan.models.federated.sharing import Flow, finishes_s
from edgeplan.models.network import Network


def downloads_s(network: Network, server: str, clients: Sequence[str], num_bytes: float) -> dict[str, float]:
    """Return when each client has what the server begins to send at time 0.

    Examples
    --------
    >>> from edgeplan.models.network import Node
    >>> hub = Node(id="hub", flops_per_s=1, memory_bytes=1, uplink_bit_per_s=16.0, latency_s=0.5)
    >>> others = [Node(id=name, flops_per_s=1, memory_bytes=1) for name in "ab"]
    >>> downloads_s(Network(nodes=(hub, *others)), "hub", ["a", "b"], num_bytes=2)
    {'a': 2.5, 'b': 2.5}
    """
    arrivals_s = {}
    sharing = [name for name in clients if (server, name) not in network.link_of]
    flows = [Flow(0.0, 8.0 * num_bytes, network.latency_and_rate(server, name)[1]) for name in sharing]
    uplink = network.nodes[network.index_of[server]].uplink_bit_per_s
    left_s = dict(zip(sharing, finishes_s(flows, _capacity(uplink)), strict=True))
    for name in clients:
        latency_s = network.latency_and_rate(server, name)[0]
        if name in left_s:
            arrivals_s[name] = left_s[name] + latency_s
        else:
            arrivals_s[name] = network.transfer_s(server, name, num_bytes)
    return arrivals_s


def uploads_s(
    network: Network, server: str, begins_s: Mapping[str, float], num_bytes: float
) -> dict[str, float]:
    """Return when the server has each client's update.

    Parameters
    ----------
    begins_s
        When each client begins to send; one that begins later changes no arrival before that.
    """
    arrivals_s = {
        name: begin_s + network.transfer_s(name, server, num_bytes)
        for name, begin_s in begins_s.items()
        if (name, server) in network.link_of
    }
    sharing = [name for name in begins_s if name not in arrivals_s]
    flows = []
    for name in sharing:
        latency_s, rate = network.latency_and_rate(name, server)
        flows.append(Flow(begins_s[name] + latency_s, 8.0 * num_bytes, rate))
    downlink = network.nodes[network.index_of[server]].downlink_bit_per_s
    shared_s = dict(zip(sharing, finishes_s(flows, _capacity(downlink)), strict=True))
    return {name: (arrivals_s | shared_s)[name] for name in begins_s}


def _capacity(bit_per_s: float | None) -> float:
    return math.inf if bit_per_s is None else bit_per_s
