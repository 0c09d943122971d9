"""The cheapest mix of structures for given prices: clusters and micro-batches are bounded as needed.

Quick bounds for all numbers of micro-batches suggest a mix. What it uses is priced exactly, and the mix is
sought again, until all that it uses is exact. Of few clusters a whole range of numbers is priced before one
inside it: a cluster's least cost is as a rule concave in them, so the line through the ends is a bound, and
nearly attained. Of many clusters sweeps come first, which raise the bounds of every number at once: each
micro-batch earns what it is worth between the bounds and the mixes known.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from edgeplan.solvers.segment_scheduling.candidates import Candidates, Column
from edgeplan.solvers.segment_scheduling.dual_master import FEW_CLUSTERS, SlotPrices
from edgeplan.solvers.segment_scheduling.mixing import Mix, cheapest_mix, micro_batch_price
from edgeplan.solvers.segment_scheduling.pricing import MOST_WORK, bound_cluster, price_cluster
from edgeplan.solvers.segment_scheduling.slot_arrays import SlotArrays, Structure
from edgeplan.solvers.segment_scheduling.together import Noise

SWEEPS = 3  # over many clusters, until what a micro-batch earns is known
_STALLED = 0.6  # of the gap, if more is left once as many were priced as there are many clusters
SLACK = 1e-7  # relative; keeps rounding from cutting off what it compares with
Priceable = TypeVar("Priceable")
Columns = Mapping[int, Mapping[Structure, Column]]
"""The decisions met of every cluster, one for each structure."""
Line = tuple[np.ndarray, Column | None]
"""Lower bounds of a range of micro-batches, and a decision met."""
Asked = Mapping[int, range | None]
"""Micro-batches to be priced, by row."""


class _Parts:
    """Which numbers of micro-batches of a cluster were priced, alone or as a range between two that were."""

    def __init__(self, most: int, by_range: bool) -> None:
        self._priced: set[range] = set()
        self._ends = {1, most} if by_range else set(range(1, most + 1))

    def around(self, m: int) -> range | None:
        """The range to be priced for m: that between its neighbours first, then m alone."""
        between = range(
            max(end for end in self._ends if end <= m), min(end for end in self._ends if end >= m) + 1
        )
        alone = range(m, m + 1)
        return between if between not in self._priced else alone if alone not in self._priced else None

    def divide(self, numbers: range) -> None:
        """Note that a range was priced; a number alone parts those it is in."""
        self._priced.add(numbers)
        if len(numbers) == 1:
            self._ends.add(numbers[0])


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
    enough
        The bound at which to stop.
    until
        Monotonic time at which to stop.
    work
        Most work of pricing a cluster once.
    pool
        Where clusters are priced side by side; None in turn.
    worth
        What a micro-batch is thought to earn; what is known must tell by default.
    only_sweeps
        Whether the sweeps over many clusters are all.
    """

    slot: SlotArrays
    noise: Noise
    prices: SlotPrices
    columns: Columns
    tolerance: float
    enough: float
    until: float
    work: int = MOST_WORK
    pool: Executor | None = None
    worth: float | None = None
    only_sweeps: bool = False
    found: list[tuple[int, Column]] = field(default_factory=list)
    """Decisions that pricing met."""
    least: np.ndarray = field(default_factory=lambda: np.empty(0))
    """Lower bounds, by cluster and micro-batches."""
    _known: np.ndarray = field(default_factory=lambda: np.empty(0))

    @property
    def clusters(self) -> list[int]:
        """The clusters that take part."""
        return list(self.columns)

    @property
    def _are_few(self) -> bool:
        """Whether there is time for each cluster: of many, no single one decides the gap."""
        return len(self.clusters) <= FEW_CLUSTERS

    def run(self) -> float:
        """Return a lower bound on every mix, band paid for."""
        most = self.slot.instance.problem.instance.training.max_micro_batches
        self._known = np.full((len(self.clusters), most), np.inf)
        for row, n in enumerate(self.clusters):
            for column in self.columns[n].values():
                self._note(row, column)
        self.least = np.minimum(self._quick_bounds(), self._known)
        if not self._are_few:
            self._sweep()
        if not self.only_sweeps:
            self._settle()
        return cheapest_mix(self.least, self.noise).bound - self._band_cost

    @property
    def _band_cost(self) -> float:
        return self.prices.hertz * self.slot.instance.problem.instance.uplink_bandwidth_hz

    def _note(self, row: int, column: Column) -> None:
        at = row, column.structure.micro_batches - 1
        self._known[at] = min(self._known[at], column.price(self.prices.of(self.clusters[row])))

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

    def _mixes(self) -> tuple[Mix, Mix]:
        """The cheapest mix of bounds, and that of decisions known."""
        return cheapest_mix(self.least, self.noise), cheapest_mix(self._known, self.noise)

    def _is_over(self, mix: Mix, known: Mix) -> bool:
        """Whether the bound is near enough to the cheapest mix known, or time is up."""
        near = known.bound - mix.bound <= self.tolerance or mix.bound - self._band_cost >= self.enough
        return near or time.monotonic() >= self.until

    def _sweep(self) -> None:
        """Price clusters over all numbers of micro-batches, each earning what the noise says it is worth.

        A cluster's least cost v then bounds its cost with m micro-batches from below by v + earned m.
        """
        every = range(1, self.least.shape[1] + 1)
        micro_batches = np.array(every)
        for _ in range(SWEEPS if self.worth is None else 1):
            before, known_before = self._mixes()
            if self._is_over(before, known_before):
                return
            earned = self._earned() if self.worth is None else self.worth

            def price(row: int, earned: float = earned) -> tuple[float, Column | None]:
                cutoff = float((self._known[row] - earned * micro_batches).min())
                return self._price(row, every, cutoff, earned)

            for row, (bound, column) in enumerate(self._map(price, range(len(self.clusters)))):
                if column is not None:
                    self._keep(row, column)
                self._raise(row, every, bound + earned * micro_batches)
            mix, known = self._mixes()
            if mix.bound - before.bound <= 0.1 * (known.bound - before.bound):
                return

    def _earned(self) -> float:
        """What a micro-batch earns: between what costs known and bounds say, which meet."""
        return math.sqrt(
            math.prod(micro_batch_price(costs, self.noise) for costs in (self._known, self.least))
        )

    def _settle(self) -> None:
        """Price what the cheapest mix uses, cluster by cluster, until all of it is exact or little changes.

        Many clusters have many mixes that cost about the same, and each would be raised in turn.
        """
        parts = [_Parts(self.least.shape[1], self._are_few) for _ in self.clusters]
        mix, known = self._mixes()
        priced, open_before = 0, known.bound - mix.bound
        while not self._is_over(mix, known):
            if priced >= len(self.clusters) and not self._are_few:
                if known.bound - mix.bound > _STALLED * open_before:
                    return
                priced, open_before = 0, known.bound - mix.bound
            asked = {row: parts[row].around(m) for row, m in enumerate(mix.micro_batches)}
            loose = [row for row, numbers in asked.items() if numbers is not None]
            if not loose:
                return
            priced += len(loose)
            # beyond the slack a pair cannot be in the cheapest mix
            slack = (known.bound - mix.bound) + SLACK * abs(known.bound)

            def price(row: int, mix: Mix = mix, slack: float = slack, asked: Asked = asked) -> Line:
                numbers = asked[row]
                assert numbers is not None
                return self._line(row, numbers, mix.micro_batches[row], slack)

            for row, (line, column) in zip(loose, list(self._map(price, loose)), strict=True):
                numbers = asked[row]
                assert numbers is not None
                if column is not None:
                    self._keep(row, column)
                self._raise(row, numbers, line)
                parts[row].divide(numbers)
            mix, known = self._mixes()

    def _line(self, row: int, numbers: range, m: int, slack: float) -> Line:
        """A line below a cluster's cost over a range, as steep as between its ends; up to a slack at m."""
        part = slice(numbers[0] - 1, numbers[-1])
        known, least = self._known[row, part], self.least[row, part]
        ends = [float(costs[k]) for k in (0, -1) for costs in (np.where(np.isfinite(known), known, least),)]
        earned = (ends[1] - ends[0]) / (len(numbers) - 1) if len(numbers) > 1 else 0.0
        of_interest = float(self.least[row, m - 1]) + slack - earned * m
        cutoff = min(float((known - earned * np.array(numbers)).min()), of_interest)
        bound, column = self._price(row, numbers, cutoff, earned)
        return bound + earned * np.array(numbers), column

    def _raise(self, row: int, numbers: range, least: np.ndarray) -> None:
        """Raise the bounds of a range of numbers."""
        part = slice(numbers[0] - 1, numbers[-1])
        self.least[row, part] = np.minimum(np.maximum(self.least[row, part], least), self._known[row, part])

    def _price(
        self, row: int, micro_batches: range, cutoff: float, earned: float = 0.0
    ) -> tuple[float, Column | None]:
        """Proven least cost of a cluster, and the decision that attains it if it is below the cutoff."""
        n = self.clusters[row]
        own = self.prices.of(n)
        priced = price_cluster(
            self.slot,
            n,
            own,
            micro_batches,
            cutoff=cutoff + SLACK * abs(cutoff) + 1e-300,
            earned=earned,
            tolerance=self.tolerance / len(self.clusters),
            until=self.until,
            work=self.work,
        )
        column = None
        if priced.structures:
            _, column = Candidates(self.slot, n, priced.structures[:1]).settle(0, own)
        return priced.least, column

    def _keep(self, row: int, column: Column) -> None:
        self.found.append((self.clusters[row], column))
        self._note(row, column)

    def _map(self, function: Callable[[int], Priceable], rows: Iterable[int]) -> Iterable[Priceable]:
        return map(function, rows) if self.pool is None else self.pool.map(function, rows)
