"""The cheapest mix of structures for given prices: clusters and micro-batches are bounded as needed.

Quick bounds for all numbers of micro-batches suggest a mix; what the mix uses is priced exactly, and the mix
is sought again, until all that it uses is exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np

from edgeplan.solvers.segment_scheduling.candidates import Candidates, Column
from edgeplan.solvers.segment_scheduling.dual_master import SlotPrices
from edgeplan.solvers.segment_scheduling.mixing import Mix, cheapest_mix
from edgeplan.solvers.segment_scheduling.pricing import bound_cluster, price_cluster
from edgeplan.solvers.segment_scheduling.slot_arrays import SlotArrays, Structure
from edgeplan.solvers.segment_scheduling.together import Noise

SLACK = 1e-7  # relative; keeps rounding from cutting off what it compares with
Columns = Mapping[int, Mapping[Structure, Column]]
"""The decisions met of every cluster, one for each structure."""


def cheapest_of(columns: Columns, prices: SlotPrices, most: int, noise: Noise) -> dict[int, Column]:
    """Return the cheapest mix of decisions met, with up to `most` micro-batches each."""
    clusters = list(columns)
    costs = np.full((len(clusters), most), np.inf)
    found: dict[tuple[int, int], Column] = {}
    for row, n in enumerate(clusters):
        own = prices.of(n)
        for column in columns[n].values():
            m, cost = column.structure.micro_batches, column.price(own)
            if cost < costs[row, m - 1]:
                costs[row, m - 1], found[row, m] = cost, column
    mix = cheapest_mix(costs, noise)
    return {n: found[row, m] for row, (n, m) in enumerate(zip(clusters, mix.micro_batches, strict=True))}


@dataclass
class MixPricing:
    """Bounds of all mixes for one vector of prices.

    Parameters
    ----------
    slot, noise
        The slot, and the cost of its noise.
    prices
        Prices of latency and band.
    columns
        Decisions met so far; at least one for each cluster.
    tolerance
        How far apart the bound and the cheapest mix known may stay.
    until
        Monotonic time at which to stop.
    pool
        Where clusters are priced side by side; None in turn.
    """

    slot: SlotArrays
    noise: Noise
    prices: SlotPrices
    columns: Columns
    tolerance: float
    until: float
    pool: Executor | None = None
    found: list[tuple[int, Column]] = field(default_factory=list)
    """Decisions that pricing met."""
    least: np.ndarray = field(default_factory=lambda: np.empty(0))
    """Lower bounds, by cluster and micro-batches."""
    _known: np.ndarray = field(default_factory=lambda: np.empty(0))
    _structures: dict[tuple[int, int], Structure] = field(default_factory=dict)

    @property
    def clusters(self) -> list[int]:
        """The clusters that take part."""
        return list(self.columns)

    def run(self) -> float:
        """Return a lower bound on every mix, band paid for."""
        most = self.slot.instance.problem.instance.training.max_micro_batches
        self._known = np.full((len(self.clusters), most), np.inf)
        for row, n in enumerate(self.clusters):
            for column in self.columns[n].values():
                self._note(row, column)
        cutoff = cheapest_mix(self._known, self.noise).bound * (1 + SLACK) + 1e-300
        quick = self._map(
            lambda n: bound_cluster(self.slot, n, self.prices.of(n), cutoff=cutoff), self.clusters
        )
        self.least = np.minimum(np.array(list(quick)), self._known)
        exact = np.zeros_like(self.least, dtype=bool)
        while True:
            mix, known = cheapest_mix(self.least, self.noise), cheapest_mix(self._known, self.noise)
            loose = [row for row, m in enumerate(mix.micro_batches) if not exact[row, m - 1]]
            if not loose or known.bound - mix.bound <= self.tolerance or math.isinf(mix.bound):
                break
            slack = (known.bound - mix.bound) + SLACK * abs(known.bound)
            self._refine(mix, loose, slack)
            exact[loose, [mix.micro_batches[row] - 1 for row in loose]] = True
        return mix.bound - self.prices.hertz * self.slot.instance.problem.instance.uplink_bandwidth_hz

    def _quick_bounds(self) -> np.ndarray:
        """Bound clusters by what the cheapest mix known leaves them, twice: the others' bounds narrow it."""
        known = cheapest_mix(self._known, self.noise).bound * (1 + SLACK) + 1e-300
        left = np.full(len(self.clusters), known)
        for _ in range(2):

            def quick(row: int, left: np.ndarray = left) -> np.ndarray:
                n = self.clusters[row]
                return bound_cluster(self.slot, n, self.prices.of(n), cutoff=float(left[row]))

            least = np.array(list(self._map(quick, range(len(self.clusters)))))
            cheapest = least.min(axis=1)
            left = known - self.noise.cost(self.noise.most) - (cheapest.sum() - cheapest)
        return least

    def _note(self, row: int, column: Column) -> None:
        m = column.structure.micro_batches
        cost = column.price(self.prices.of(self.clusters[row]))
        if cost < self._known[row, m - 1]:
            self._known[row, m - 1] = cost
            self._structures[row, m] = column.structure

    def _refine(self, mix: Mix, loose: Sequence[int], slack: float) -> None:
        """Price what the mix uses; beyond the slack it cannot be in the cheapest mix."""

        def price(row: int) -> tuple[float, Column | None]:
            n, m = self.clusters[row], mix.micro_batches[row]
            at, own = (row, m - 1), self.prices.of(n)
            cutoff = min(self._known[at] + SLACK * abs(self._known[at]), self.least[at] + slack) + 1e-300
            tolerance = self.tolerance / len(self.clusters)
            priced = price_cluster(
                self.slot, n, own, range(m, m + 1), cutoff=cutoff, tolerance=tolerance, until=self.until
            )
            column = None
            if priced.structures:
                _, column = Candidates(self.slot, n, priced.structures[:1]).settle(0, own)
            return priced.least, column

        for row, (bound, column) in zip(loose, self._map(price, loose), strict=True):
            at = (row, mix.micro_batches[row] - 1)
            if column is not None:
                self.found.append((self.clusters[row], column))
                self._note(row, column)
            self.least[at] = min(max(self.least[at], bound), self._known[at])

    def cheapest(self) -> dict[int, Structure]:
        """Structures of the cheapest mix known."""
        mix = cheapest_mix(self._known, self.noise)
        return {
            n: self._structures[row, m]
            for row, (n, m) in enumerate(zip(self.clusters, mix.micro_batches, strict=True))
        }

    def _map(self, function: Callable, items: Iterable) -> Iterable:  # type: ignore[type-arg]
        return map(function, items) if self.pool is None else self.pool.map(function, items)
