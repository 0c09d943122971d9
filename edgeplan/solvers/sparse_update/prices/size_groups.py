"""Groups of all sets of devices, sorted by size into a few kinds, where sets are too many to list.

Among groups of sizes from one to another a slice's best one has the devices that pay most for it. A price
per byte grows less and less from size to size, so a class is in that group or not, as a whole; but for the
smallest and the largest size of a kind, and where the price bends. The tolls of a kind's slices are at most
the fixed price of its smallest group: every group is of one kind, so that much is paid for each kind in use.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from edgeplan.solvers.sparse_update.aggregation.aggregation import Aggregation
from edgeplan.solvers.sparse_update.aggregation.size_prices import SizePrices
from edgeplan.solvers.sparse_update.choices.cluster import Array, Cluster
from edgeplan.solvers.sparse_update.prices.groups import Groups, Rewards, pools

_MOST_KINDS = 64


@dataclass(frozen=True)
class SizeGroups(Groups):
    """Kinds of groups.

    Parameters
    ----------
    prices
        Of groups by size.
    low, high
        Sizes of every kind, from small to large.
    """

    prices: SizePrices
    low: Array
    high: Array

    @classmethod
    def of(cls, cluster: Cluster, aggregation: Aggregation) -> Self:
        """Return a kind for every set of the devices with most memory; a single one of free collectives."""
        num = int(cluster.count.sum())
        chain = np.cumsum(cluster.count[::-1])
        if cluster.instance.collectives == "free":
            chain = np.array([num])
        elif len(chain) > _MOST_KINDS:
            chain = chain[np.linspace(0, len(chain) - 1, _MOST_KINDS).astype(int)]
        high = np.unique(chain)
        low = np.concatenate([[1], high[:-1] + 1])
        prices = SizePrices.of(cluster.instance)
        if cluster.instance.collectives == "free":
            prices = prices.covering(shares_broadcasts=not aggregation.is_exact)
        fixed = np.array([prices.fixed[a : b + 1].min() for a, b in zip(low, high, strict=True)])
        return cls(cluster, fixed, *pools(aggregation, len(fixed)), prices, low, high)

    def only(self, kept: Array) -> Self:
        """Return those kinds alone."""
        return replace(super().only(kept), low=self.low[kept], high=self.high[kept])

    @cached_property
    def cost(self) -> Array:
        """Nothing: what a group costs is settled with its size."""
        return np.zeros((self.cluster.num_slices, len(self.fixed)))

    @cached_property
    def allowed(self) -> Array:
        """Whether every slice may have every kind."""
        return self.left & (self.high >= self._least[:, None])

    @cached_property
    def _least(self) -> Array:
        """Fewest devices that update every slice, if any does."""  # (3)
        least = np.ones(self.cluster.num_slices, np.int64)
        least[self.cluster.covered] = np.maximum(
            1, self.cluster.coverage[self.cluster.layer[self.cluster.covered]]
        )
        return least

    @cached_property
    def _sizes(self) -> Array:
        """Sizes at which not only whole classes are looked at."""
        sizes = np.concatenate([self.low, self.high, self.prices.jumps, self._least])
        return np.unique(np.clip(sizes, 1, self.cluster.count.sum()))

    def rewards(self, shares: Array, barred: Array | None) -> Rewards:
        """What the best group of every kind brings slices (rows), its bytes paid."""
        del barred  # kinds of groups suit whatever classes do
        paying, order = self._in_order(shares)
        size, paid = self._candidates(paying, order)
        worth = paid - self.cluster.slice_bytes[:, None] * self.prices.per_byte[size]
        worth -= self.alone[:, None] * self.prices.fixed[size]
        worth[size < self._least[:, None]] = -np.inf
        kind = np.minimum(np.searchsorted(self.high, size), len(self.high) - 1)
        worth[(size < self.low[kind]) | (size > self.high[kind])] = -np.inf
        best = np.full((len(shares), len(self.high)), -np.inf)
        row = np.broadcast_to(np.arange(len(shares))[:, None], kind.shape)
        np.maximum.at(best, (row, kind), worth)
        chosen = np.zeros(best.shape, np.int64)
        hit = worth == best[row, kind]
        chosen[row[hit], kind[hit]] = size[hit]
        return Rewards(best, chosen, order)

    def _in_order(self, shares: Array) -> tuple[Array, Array]:
        """What one device of every class pays, and the classes from the most on; of more memory first."""
        paying = shares / self.cluster.count
        memory = -self.cluster.memory_bytes if self.cluster.instance.nested else 0 * self.cluster.memory_bytes
        memory_keys = np.broadcast_to(memory, paying.shape).copy()
        memory_keys[self.cluster.num_options :] = 0
        return paying, np.lexsort((-paying, memory_keys), axis=1)

    def _candidates(self, paying: Array, order: Array) -> tuple[Array, Array]:
        """Sizes of groups that may be best, by slices (rows), and what their devices pay."""
        sorted_pay, sorted_count = np.take_along_axis(paying, order, axis=1), self.cluster.count[order]
        size, paid = np.cumsum(sorted_count, axis=1), np.cumsum(sorted_pay * sorted_count, axis=1)
        before = np.array([np.searchsorted(row, self._sizes) for row in size])
        zero = np.zeros((len(size), 1), size.dtype)
        whole = np.take_along_axis(np.concatenate([zero, size], axis=1), before, axis=1)
        sure = np.take_along_axis(np.concatenate([zero.astype(float), paid], axis=1), before, axis=1)
        part = (self._sizes - whole) * np.take_along_axis(sorted_pay, before, axis=1)
        sizes = np.broadcast_to(self._sizes, whole.shape)
        return np.concatenate([size, sizes], axis=1), np.concatenate([paid, sure + part], axis=1)

    def wanted(self, rewards: Rewards, slices: Array, groups: Array) -> Array:
        """Shares of classes (rows) that are to update slices with these kinds of groups (columns)."""
        assert rewards.updating is not None
        assert rewards.order is not None
        order, left = rewards.order[slices], rewards.updating[slices, groups]
        count = self.cluster.count[order]
        before = np.cumsum(count, axis=1) - count
        taken = np.clip(left[:, None] - before, 0, count) / count
        wanted = np.zeros(taken.shape)
        np.put_along_axis(wanted, order, taken, axis=1)
        return wanted.T
