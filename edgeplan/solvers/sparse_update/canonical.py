"""Canonical collectives for given updates: an all-reduce and a broadcast for every group, equation (6)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgeplan.models.sparse_update import SparsePlan
from edgeplan.solvers.sparse_update.aggregation import Aggregation, Price, distinct
from edgeplan.solvers.sparse_update.cluster import Array, Choices


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

    def added(self, c: int, updated: Array) -> Array:
        """What it adds for every slice that a class updates it too, the others as they are.

        A group that no slice of the others' pays for adds its fixed price to each, as if it were alone.
        """
        without, joined = updated.copy(), updated.copy()
        without[c], joined[c] = False, True
        sent = np.flatnonzero(self.aggregation.pool >= 0)
        before, after = without[:, sent], joined[:, sent]
        groups, which = distinct(np.concatenate([before, after], axis=1))
        own, new = which[: len(sent)], which[len(sent) :]
        fixed, per_byte = self._first_prices(groups)
        paid = np.zeros((int(self.aggregation.pool.max(initial=-1)) + 1, len(groups)), bool)
        paid[self.aggregation.pool[sent], own] = True
        num_bytes, unpaid = (
            self.aggregation.cluster.slice_bytes[sent],
            ~paid[self.aggregation.pool[sent], new],
        )
        added = np.zeros(len(self.aggregation.pool))
        added[sent] = num_bytes * (per_byte[new] - per_byte[own]) + unpaid * fixed[new]
        return added

    def _first_prices(self, groups: Array) -> tuple[Array, Array]:
        """Fixed and byte prices of groups, the one with the least fixed part; no class pays nothing."""
        prices = [self.aggregation.prices(group)[0] if group.any() else Price(0.0, 0.0) for group in groups]
        return np.array([price.fixed for price in prices]), np.array([price.per_byte for price in prices])
