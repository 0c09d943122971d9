"""What a collective takes on the network, equation (7)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations

from edgeplan.models.network import Network
from edgeplan.models.sparse_update.instance import SharedNetwork, SparseUpdateInstance


@dataclass(frozen=True)
class CollectiveCost:
    """Seconds of one collective and the bytes that it moves.

    Parameters
    ----------
    seconds
        From its first message to its last.
    bytes_moved
        Over all links.
    """

    seconds: float
    bytes_moved: float


@dataclass(frozen=True)
class Tariff:
    """Seconds of a collective as its bytes are given: both parts of one latency and one rate.

    Parameters
    ----------
    fixed_s
        Of no bytes.
    s_per_byte
        Of every byte of the buffer.
    """

    fixed_s: float
    s_per_byte: float

    def seconds(self, num_bytes: float) -> float:
        """Of a buffer."""
        return self.fixed_s + self.s_per_byte * num_bytes


@dataclass(frozen=True)
class CollectiveCosts:
    """The costs of collectives among the devices of an instance."""

    instance: SparseUpdateInstance

    def all_reduce_tariff(self, members: Sequence[str]) -> Tariff:
        """Tariff of a ring all-reduce: every device sends to every other in the slowest case.

        Parameters
        ----------
        members
            Ids of the devices, each once.
        """
        g = len(members)
        latency_s, s_per_byte = self._slowest(permutations(members, 2))
        return Tariff(2 * (g - 1) * latency_s, 2 * (g - 1) / g * s_per_byte)

    def broadcast_tariff(self, root: str, receivers: Sequence[str]) -> Tariff:
        """Tariff of a broadcast: the root sends every copy itself, or receivers pass them on."""
        q = len(receivers)
        latency_s, s_per_byte = self._slowest((root, receiver) for receiver in receivers)
        if self.instance.broadcast == "flat":
            return Tariff(latency_s, q * s_per_byte)
        rounds = math.ceil(math.log2(q + 1))
        return Tariff(rounds * latency_s, rounds * s_per_byte)

    def broadcast_latency_s(self, root: str, receivers: Sequence[str]) -> float:
        """Latency of a message of a broadcast."""
        return self._slowest((root, receiver) for receiver in receivers)[0]

    def all_reduce(self, members: Sequence[str], num_bytes: float) -> CollectiveCost:
        """Cost of an all-reduce of a buffer."""
        seconds = self.all_reduce_tariff(members).seconds(num_bytes)
        return CollectiveCost(seconds, 2 * (len(members) - 1) * num_bytes)

    def broadcast(self, root: str, receivers: Sequence[str], num_bytes: float) -> CollectiveCost:
        """Cost of a broadcast of a buffer."""
        seconds = self.broadcast_tariff(root, receivers).seconds(num_bytes)
        return CollectiveCost(seconds, len(receivers) * num_bytes)

    def best_root(self, members: Sequence[str], receivers: Sequence[str], num_bytes: float) -> str:
        """Return the member from which a broadcast takes least; the first of equals."""
        if isinstance(self.instance.network, SharedNetwork):
            return members[0]
        return min(members, key=lambda root: self.broadcast(root, receivers, num_bytes).seconds)

    def _slowest(self, pairs: Iterable[tuple[str, str]]) -> tuple[float, float]:
        """Latency alpha, and seconds of a byte beta, of the slowest of some pairs."""
        network = self.instance.network
        if isinstance(network, Network):
            figures = [network.latency_and_rate(source, target) for source, target in pairs]
            latency_s = max((latency for latency, _ in figures), default=0.0)
            rate = min((rate for _, rate in figures), default=math.inf)
        else:
            latency_s, rate = network.latency_s, network.bit_per_s or math.inf
        return latency_s, 8 / rate
