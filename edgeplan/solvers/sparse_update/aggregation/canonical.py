"""Canonical collectives for given updates: an all-reduce and a broadcast for every group, equation (6)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgeplan.models.sparse_update import SparsePlan
from edgeplan.solvers.sparse_update.aggregation.aggregation import Aggregation, Price, distinct
from edgeplan.solvers.sparse_update.choices.cluster import Array, Choices


@dataclass(frozen=True)
class Canonical:
    """Prices of canonical collectives.

    Parameters
    ----------
    aggregation
        Prices of groups.
    """

    aggregation: Aggregation

    def plan(self, choices: Choices) -> SparsePlan:
        """Write choices as a plan; its collectives go without saying."""
        return self.aggregation.cluster.plan(choices)

    def price(self, updated: Array) -> float:
        """What the collectives cost where classes (rows) update slices (columns)."""
        sent = np.flatnonzero((self.aggregation.pool >= 0) & updated.any(axis=0))
        groups, which = distinct(updated[:, sent])
        buffer = self.aggregation.pool[sent] * len(groups) + which
        buffers, place = np.unique(buffer, return_inverse=True)
        num_bytes = np.bincount(place, self.aggregation.cluster.slice_bytes[sent], len(buffers))
        return math.fsum(
            min(price.of(size) for price in self.aggregation.prices(groups[key % len(groups)]))
            for key, size in zip(buffers.tolist(), num_bytes.tolist(), strict=True)
        )

    def added(self, c: int, updated: Array, barred: Array | None = None) -> Array:
        """What it adds for every slice that a class updates it too, the others as they are.

        Groups that slices have are paid for, but for the one that is barred. Another adds its fixed price to
        each slice, as if it were alone.
        """
        pool, sent = self.aggregation.pool, np.flatnonzero(self.aggregation.pool >= 0)
        without, joined = updated[:, sent].copy(), updated[:, sent].copy()
        without[c], joined[c] = False, True
        groups, which = distinct(np.concatenate([without, joined, updated[:, sent]], axis=1))
        before, after, now = np.split(which, 3)
        fixed, per_byte = self._first_prices(groups)
        paid = np.zeros((int(pool.max(initial=-1)) + 1, len(groups)), bool)
        paid[pool[sent], now] = True
        if barred is not None:
            paid[:, (groups == barred).all(axis=1)] = False
        num_bytes = self.aggregation.cluster.slice_bytes[sent]
        added = np.zeros(len(pool))
        added[sent] = num_bytes * (per_byte[after] - per_byte[before])
        added[sent] += ~paid[pool[sent], after] * fixed[after]
        return added

    def groups_of(self, c: int, updated: Array) -> Array:
        """Groups (rows) that a class is in, those of few bytes first."""
        sent = np.flatnonzero((self.aggregation.pool >= 0) & updated[c])
        groups, which = distinct(updated[:, sent])
        num_bytes = np.bincount(which, self.aggregation.cluster.slice_bytes[sent], len(groups))
        return np.asarray(groups[np.argsort(num_bytes, kind="stable")])

    def _first_prices(self, groups: Array) -> tuple[Array, Array]:
        """Fixed and byte prices of groups, the one with the least fixed part; no class pays nothing."""
        prices = [self.aggregation.prices(group)[0] if group.any() else Price(0.0, 0.0) for group in groups]
        return np.array([price.fixed for price in prices]), np.array([price.per_byte for price in prices])
