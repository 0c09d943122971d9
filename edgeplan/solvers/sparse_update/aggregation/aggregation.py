"""What groups of devices pay for their slices, in units of the objective: equation (7) by groups.

The slices of one group cost `fixed + rate * bytes`. Without fusing, slices share the fixed part only with
those of their own layer: slices of a layer that have one group are neighbours, and travel as one. On a
general network a broadcast may come from several roots, of which one has less latency and another more
rate; a group pays the least of their prices.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from edgeplan.models.network import Network
from edgeplan.models.sparse_update.instance import SharedNetwork
from edgeplan.models.sparse_update.network import CollectiveCosts, Tariff
from edgeplan.solvers.sparse_update.aggregation.size_prices import SizePrices
from edgeplan.solvers.sparse_update.choices.cluster import Array, Cluster

FREE = Tariff(0.0, 0.0)


class Price(NamedTuple):
    """What the slices of a group cost by the objective."""

    fixed: float
    """Of any."""
    per_byte: float
    """Of every byte."""

    def of(self, num_bytes: float) -> float:
        """Of so many bytes."""
        return self.fixed + self.per_byte * num_bytes


@dataclass(frozen=True)
class Aggregation:
    """Prices of groups.

    Parameters
    ----------
    cluster
        The cluster.
    """

    cluster: Cluster
    _known: dict[bytes, tuple[Price, ...]] = field(default_factory=dict, repr=False)

    @property
    def _weight(self) -> float:
        return self.cluster.instance.objective.aggregation_s

    @cached_property
    def pool(self) -> Array:
        """Which slices share fixed prices where they have one group; -1: the slice has no parameters."""
        silent = self.cluster.slice_bytes == 0
        if self.cluster.instance.fuse or self.cluster.instance.collectives == "free":
            return np.where(silent, -1, 0)
        num_options = self.cluster.num_options
        biases = self.cluster.num_layers + np.arange(self.cluster.num_layers)
        return np.where(silent, -1, np.concatenate([self.cluster.layer[:num_options], biases]))

    def prices(self, group: Array) -> tuple[Price, ...]:
        """Prices of a group of classes, none of which another beats in both parts.

        Parameters
        ----------
        group
            Whether each class is in it; at least one is.
        """
        key = group.tobytes()
        if key not in self._known:
            self._known[key] = self._prices(group)
        return self._known[key]

    def _prices(self, group: Array) -> tuple[Price, ...]:
        if isinstance(self.cluster.instance.network, Network):
            return _undominated(self._tariffs(group), self._weight)
        size = int(self.cluster.count @ group)
        return (Price(float(self._by_size.fixed[size]), float(self._by_size.per_byte[size])),)

    def _tariffs(self, group: Array) -> Iterator[Tariff]:
        """All-reduce and broadcast of a group, from every root."""
        costs, inside, outside = CollectiveCosts(self.cluster.instance), self.ids(group), self.ids(~group)
        reduced = costs.all_reduce_tariff(inside) if len(inside) > 1 else FREE
        for root in inside if outside else inside[:1]:
            told = costs.broadcast_tariff(root, outside) if outside else FREE
            yield Tariff(reduced.fixed_s + told.fixed_s, reduced.s_per_byte + told.s_per_byte)

    @cached_property
    def _by_size(self) -> SizePrices:
        return SizePrices.of(self.cluster.instance)

    @property
    def is_exact(self) -> bool:
        """Whether no collectives cost less than each group's own all-reduce and broadcast.

        Free broadcasts may be shared by groups, or come from several roots, each to its own receivers. That
        never pays where all pairs are alike and every copy is sent by the root.
        """
        instance = self.cluster.instance
        alike = isinstance(instance.network, SharedNetwork) and instance.broadcast == "flat"
        return alike or instance.collectives == "canonical"

    def least_prices(self, group: Array) -> tuple[Price, ...]:
        """The price that no way to tell the slices of a group to the rest undercuts."""
        costs = CollectiveCosts(self.cluster.instance)
        inside, outside = self.ids(group), self.ids(~group)
        reduced = costs.all_reduce_tariff(inside) if len(inside) > 1 else FREE
        alone = [min(costs.broadcast_tariff(root, [one]).s_per_byte for root in inside) for one in outside]
        told = sum(alone)
        if self.cluster.instance.broadcast == "tree":
            told = min(alone, default=0.0) * math.ceil(math.log2(len(outside) + 1))
        return (Price(self._weight * reduced.fixed_s, self._weight * (reduced.s_per_byte + told)),)

    def ids(self, classes: Array) -> list[str]:
        """Devices of classes."""
        devices = self.cluster.instance.devices
        return [devices[d].id for c in np.flatnonzero(classes) for d in self.cluster.members[c]]


def distinct(columns: Array) -> tuple[Array, Array]:
    """Return the distinct columns as rows, and which of them each column is."""
    packed = np.packbits(columns, axis=0)
    keys = np.ascontiguousarray(packed.T).view(np.dtype((np.void, max(1, len(packed)))))[:, 0]
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    return np.ascontiguousarray(columns[:, first].T), which


def _undominated(tariffs: Iterable[Tariff], weight: float) -> tuple[Price, ...]:
    """Weight seconds, and keep prices of which the one part falls as the other rises."""
    kept: list[Price] = []
    for fixed_s, s_per_byte in sorted((one.fixed_s, one.s_per_byte) for one in tariffs):
        if not kept or weight * s_per_byte < kept[-1].per_byte:
            kept.append(Price(weight * fixed_s, weight * s_per_byte))
    return tuple(kept)
