"""The links of a run's nodes: rates of each node up and down, and figures of single pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgeplan.models.network import Network


@dataclass(frozen=True)
class Shape:
    """One direction between two nodes: latency in seconds, and rate in bit/s of payload.

    Examples
    --------
    >>> Shape(0.5, 8e6).transfer_s(2_000_000)
    2.5
    """

    latency_s: float
    bit_per_s: float

    def transfer_s(self, num_bytes: int) -> float:
        """Seconds that the bytes take."""
        return self.latency_s + 8.0 * num_bytes / self.bit_per_s


@dataclass(frozen=True)
class Links:
    """What nodes are joined by.

    Parameters
    ----------
    uplink_bit_per_s, downlink_bit_per_s
        Of every node, of payload; infinite: not limited.
    latency_s
        Of every node; between two of them it is the sum.
    pairs
        Links between two nodes, by sender and receiver, that take the place of these.
    half_duplex
        Whether both directions of such a pair use one band in turn.
    """

    uplink_bit_per_s: tuple[float, ...]
    downlink_bit_per_s: tuple[float, ...]
    latency_s: tuple[float, ...]
    pairs: dict[tuple[int, int], Shape]
    half_duplex: bool = False

    @classmethod
    def of(cls, network: Network, ids: Sequence[str]) -> Links:
        """Return the links among some nodes of a network.

        Examples
        --------
        >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
        >>> Links.of(two_layers_two_nodes().instance.network, ["slow", "fast"]).between(0, 1)
        Shape(latency_s=0.0, bit_per_s=inf)
        """
        index = {name: place for place, name in enumerate(ids)}
        nodes = [network.nodes[network.index_of[name]] for name in ids]
        return cls(
            tuple(_rate(node.uplink_bit_per_s) for node in nodes),
            tuple(_rate(node.downlink_bit_per_s) for node in nodes),
            tuple(node.latency_s for node in nodes),
            {
                (index[link.source], index[link.target]): Shape(link.latency_s, _rate(link.bit_per_s))
                for link in network.links
                if link.source in index and link.target in index
            },
        )

    @classmethod
    def shared(cls, latency_s: float, bit_per_s: float | None, num_nodes: int) -> Links:
        """Return links of one rate and latency between all nodes."""
        rates = (_rate(bit_per_s),) * num_nodes
        return cls(rates, rates, (latency_s / 2,) * num_nodes, {})

    def between(self, source: int, target: int) -> Shape:
        """Return what a transfer from one node to another gets."""
        if (source, target) in self.pairs:
            return self.pairs[source, target]
        rate = min(self.uplink_bit_per_s[source], self.downlink_bit_per_s[target])
        return Shape(self.latency_s[source] + self.latency_s[target], rate)

    def slower(self, times: float) -> Links:
        """Return links on which everything takes so many times as long.

        Examples
        --------
        >>> Links.shared(0.5, 8e6, 2).slower(4).between(0, 1)
        Shape(latency_s=2.0, bit_per_s=2000000.0)
        """
        return Links(
            tuple(rate / times for rate in self.uplink_bit_per_s),
            tuple(rate / times for rate in self.downlink_bit_per_s),
            tuple(times * latency_s for latency_s in self.latency_s),
            {pair: Shape(times * one.latency_s, one.bit_per_s / times) for pair, one in self.pairs.items()},
            self.half_duplex,
        )

    def with_watch(self) -> Links:
        """Return the links with one more node, the supervisor, that is limited by the others alone.

        Examples
        --------
        >>> Links.shared(0.5, 8e6, 2).with_watch().between(0, 2)
        Shape(latency_s=0.25, bit_per_s=8000000.0)
        """
        return Links(
            (*self.uplink_bit_per_s, math.inf),
            (*self.downlink_bit_per_s, math.inf),
            (*self.latency_s, 0.0),
            self.pairs,
            self.half_duplex,
        )

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return len(self.latency_s)

    def to_document(self) -> dict[str, Any]:
        """Return the links as plain JSON values; a rate without limit is null."""
        return {
            "uplink_bit_per_s": [_finite(rate) for rate in self.uplink_bit_per_s],
            "downlink_bit_per_s": [_finite(rate) for rate in self.downlink_bit_per_s],
            "latency_s": list(self.latency_s),
            "pairs": [
                [source, target, link.latency_s, _finite(link.bit_per_s)]
                for (source, target), link in sorted(self.pairs.items())
            ],
            "half_duplex": self.half_duplex,
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Links:
        """Build the links that `to_document` returned."""
        return cls(
            tuple(_rate(rate) for rate in document["uplink_bit_per_s"]),
            tuple(_rate(rate) for rate in document["downlink_bit_per_s"]),
            tuple(document["latency_s"]),
            {
                (source, target): Shape(latency, _rate(rate))
                for source, target, latency, rate in document["pairs"]
            },
            document["half_duplex"],
        )


def _rate(bit_per_s: float | None) -> float:
    return math.inf if bit_per_s is None else bit_per_s


def _finite(bit_per_s: float) -> float | None:
    return bit_per_s if math.isfinite(bit_per_s) else None
