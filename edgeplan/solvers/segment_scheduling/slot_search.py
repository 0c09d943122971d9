"""One slot, solved with proof: prices, structures for them, and branching on what the bound leaves.

The clusters meet in T, in the uplink band and in the noise. For any prices of a cluster's latency (they sum
up to that of T), of a hertz of uplink and of a micro-batch, the cheapest structures of the clusters, each
for itself, bound the slot from below. Fixed structures are one convex programme, whose multipliers are such
prices; between them a linear programme over the decisions met says where the bound may still rise. What
gap the discrete choices leave is closed by listing every structure that the bound does not exclude, and
branching on these lists.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np

from edgeplan.solvers.segment_scheduling.candidates import Candidates, Column
from edgeplan.solvers.segment_scheduling.dual_master import DualMaster, SlotPrices
from edgeplan.solvers.segment_scheduling.mixing import cheapest_mix
from edgeplan.solvers.segment_scheduling.pricing import Priced, price_cluster
from edgeplan.solvers.segment_scheduling.slot_arrays import SlotArrays, Structure
from edgeplan.solvers.segment_scheduling.together import Noise, Structures, Together, solve_together

OnBetter = Callable[[float | None, float | None], None]
"""Called with the best objective and bound so far."""

ROUNDS = 40
MOST_MIXED = 64  # clusters whose micro-batches are mixed exactly
_LEAST_PRICE = 1e-9  # of a cluster's latency, relative to that of T: for one that never waits
SLACK = 1e-7  # relative; keeps rounding from cutting off what it compares with
_SHARE = 0.25  # of the gap: what pricing may leave open, all clusters together
_ENOUGH = 0.1  # of the gap: what prices must still promise, for another round


@dataclass
class SlotSearch:
    """What is known of one slot.

    Parameters
    ----------
    slot
        The slot.
    noise
        Cost of the noise, by micro-batches of all clusters that take part.
    gap
        Relative gap at which to stop.
    until
        Monotonic time at which to stop.
    pool
        Where clusters are priced side by side; None in turn.
    """

    slot: SlotArrays
    noise: Noise
    gap: float
    until: float
    pool: Executor | None = None
    best: Together | None = None
    bound: float | None = None
    prices: SlotPrices | None = None
    on_better: OnBetter | None = None
    _evaluated: dict[tuple[Structure, ...], Together | None] = field(default_factory=dict)

    def run(self, start: Structures, prices: SlotPrices | None = None) -> None:
        """Search from structures that fit, and prices to begin with, until the gap or the time is reached."""
        first = self.evaluate(start) or self.best
        if first is None:
            return
        self.raise_bound(self.noise.cost(self.noise.most))  # what no decision can undercut
        if self.is_late:
            return
        root = Root(self, first, prices)
        root.improve()
        if not self.is_done and not self.is_late:
            from edgeplan.solvers.segment_scheduling.branching import branch

            branch(root)

    def evaluate(self, structures: Structures) -> Together | None:
        """Solve the structures together, once, and keep the result if it is the best."""
        key = tuple(structures.values())
        if key not in self._evaluated:
            self._evaluated[key] = found = solve_together(self.slot, structures, self.noise)
            if found is not None and (self.best is None or found.objective < self.best.objective):
                self.best = found
                self._tell()
        return self._evaluated[key]

    def raise_bound(self, bound: float) -> None:
        """Keep a proven lower bound if it is better."""
        if self.bound is None or bound > self.bound:
            self.bound = bound
            self._tell()

    def _tell(self) -> None:
        if self.on_better is not None:
            self.on_better(None if self.best is None else self.best.objective, self.bound)

    @property
    def reached(self) -> float | None:
        """Relative gap, None where it is unknown."""
        if self.best is None or self.bound is None:
            return None
        return max(0.0, self.best.objective - self.bound) / max(1e-12, abs(self.best.objective))

    @property
    def is_done(self) -> bool:
        """Whether the gap asked for is reached."""
        return self.reached is not None and self.reached <= self.gap

    @property
    def is_late(self) -> bool:
        """Whether time is up."""
        return time.monotonic() >= self.until

    @property
    def band_hz(self) -> float:
        """Uplink band of all clusters."""
        return self.slot.instance.problem.instance.uplink_bandwidth_hz

    def prices_of(self, together: Together) -> SlotPrices:
        """Return the multipliers of a joint solution as prices, none of them 0."""
        tradeoff = self.slot.prices.second
        raised = {n: max(price, _LEAST_PRICE * tradeoff) for n, price in together.second.items()}
        scale = tradeoff / sum(raised.values())
        least = 1e-12 * tradeoff * together.latency_s / self.band_hz
        return SlotPrices(
            {n: scale * price for n, price in raised.items()},
            max(together.hertz, least, 1e-300),
            self.noise.price(together.micro_batches),
        )


@dataclass
class Root:
    """All structures: the bound that prices give, improved in turn with the plan.

    Parameters
    ----------
    search
        The slot.
    first
        A joint solution to begin with.
    start
        Prices to begin with, such as those of the slot before; those of the solution by default.
    """

    search: SlotSearch
    first: Together
    start: SlotPrices | None
    prices: SlotPrices | None = None
    bound: float = -np.inf
    least: dict[int, float] = field(default_factory=dict)
    columns: dict[int, dict[Structure, Column]] = field(default_factory=dict)

    def improve(self) -> None:
        """Price, evaluate what is cheapest, and ask where the bound may rise; again while it pays."""
        search = self.search
        master = DualMaster(search.slot.prices.second, search.band_hz, search.noise)
        self.master = master
        self._meet(self.first)
        prices = self.start or self._first_prices()
        for _ in range(ROUNDS):
            best = search.best
            rose = self._price_all(prices)
            self._evaluate_mix(prices)
            if search.is_done or search.is_late:
                break
            assert search.best is not None
            if search.best is not best:  # its multipliers are the best prices if it is the best plan
                prices = search.prices_of(search.best)
                continue
            following = self._next_prices(rose)
            if following is None:
                break
            prices = following
        search.prices = self.prices

    def _next_prices(self, rose: bool) -> SlotPrices | None:
        """Prices that promise a better bound; None where none promises enough."""
        master, best = self.master, self.search.best
        assert self.prices is not None
        assert best is not None
        master.widen() if rose else master.narrow()
        while True:
            following = master.next_prices(self.prices)
            if following is None:
                return None
            prices, promised = following
            if promised - self.bound > _ENOUGH * (best.objective - self.bound):
                return prices
            if master.radius >= 2:
                return None
            master.radius = 3.0

    def _first_prices(self) -> SlotPrices:
        """Prices of the first solution; of a micro-batch for as many as the noise budget asks for."""
        prices, problem = self.search.prices_of(self.first), self.search.slot.instance.problem
        control = problem.instance.control
        wanted = control.noise_level / control.noise_budget / problem.instance.training.micro_batch_size
        noise = self.search.noise
        total = int(min(max(wanted, noise.fewest), noise.most))
        return SlotPrices(prices.second, prices.hertz, noise.price(total))

    def _meet(self, together: Together) -> None:
        """Take the decisions of a joint solution in as columns."""
        for n, solved in together.solved.items():
            column = Column(together.structures[n], solved.latency_s, solved.uplink_band_hz, solved.cost)
            self._add(n, column)

    def _add(self, n: int, column: Column) -> None:
        self.master.add(n, column)
        self.columns.setdefault(n, {})[column.structure] = column

    def _price_all(self, prices: SlotPrices) -> bool:
        """Find each cluster's cheapest structure, and say whether the bound has risen."""
        search, clusters = self.search, list(self.first.structures)
        assert search.best is not None
        tolerance = _SHARE * search.gap * abs(search.best.objective) / len(clusters)

        def price(n: int) -> Priced:
            own = prices.of(n)
            known = min(column.price(own) for column in self.master.columns[n])
            cutoff = known + SLACK * abs(known) + 1e-300
            return price_cluster(search.slot, n, own, cutoff=cutoff, tolerance=tolerance, until=search.until)

        priced = dict(zip(clusters, self._map(price, clusters), strict=True))
        least = {n: entry.least for n, entry in priced.items()}
        bound = sum(least.values()) - prices.hertz * search.band_hz + search.noise.least(prices.micro_batch)
        search.raise_bound(bound)
        rose = bound > self.bound
        if rose:
            self.prices, self.bound, self.least = prices, bound, least
        for n, entry in priced.items():
            self._take(n, entry, prices)
        return rose

    def _take(self, n: int, priced: Priced, prices: SlotPrices) -> None:
        if priced.structures:
            _, column = Candidates(self.search.slot, n, priced.structures[:1]).settle(0, prices.of(n))
            if column is not None:
                self._add(n, column)

    def _map(self, function: Callable[[int], Priced], clusters: Iterable[int]) -> Iterable[Priced]:
        pool = self.search.pool
        return map(function, clusters) if pool is None else pool.map(function, clusters)

    def _evaluate_mix(self, prices: SlotPrices) -> None:
        """Solve together the structures met that are cheapest with the noise of all."""
        together = self.search.evaluate(self._mix(prices))
        if together is not None:
            self._meet(together)

    def _mix(self, prices: SlotPrices) -> dict[int, Structure]:
        clusters = list(self.first.structures)
        own = {n: prices.of(n) for n in clusters}
        if len(clusters) > MOST_MIXED:
            return {
                n: min(self.columns[n].values(), key=lambda c: c.price(own[n])).structure for n in clusters
            }
        most = self.search.slot.instance.problem.instance.training.max_micro_batches
        costs, cheapest = [], []
        for n in clusters:
            cost, found = np.full(most, np.inf), {}
            for structure, column in self.columns[n].items():
                m = structure.micro_batches
                value = column.price(own[n]) + own[n].micro_batch * m
                if value < cost[m - 1]:
                    cost[m - 1], found[m] = value, structure
            costs.append(cost)
            cheapest.append(found)
        _, chosen = cheapest_mix(costs, self.search.noise)
        return {n: found[m] for n, found, m in zip(clusters, cheapest, chosen, strict=True)}
