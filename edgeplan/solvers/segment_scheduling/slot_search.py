"""One slot, solved with proof: prices, structures for them, and branching on what the bound leaves.

The clusters meet in T, in the uplink band and in the noise. For any prices of a cluster's latency (they sum
up to that of T), of a hertz of uplink and of a micro-batch, the cheapest structures of the clusters, each
for itself, bound the slot from below. Fixed structures are one convex programme, whose multipliers are such
prices; between them a linear programme over the decisions met says where the bound may still rise. What
gap the discrete choices leave is closed by listing every structure that the bound does not exclude, and
branching on these lists.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np

from edgeplan.solvers.segment_scheduling.candidates import Candidates, Column
from edgeplan.solvers.segment_scheduling.dual_master import DualMaster, SlotPrices
from edgeplan.solvers.segment_scheduling.mix_pricing import FEW_CLUSTERS, MixPricing, cheapest_of
from edgeplan.solvers.segment_scheduling.pricing import ClusterPrices
from edgeplan.solvers.segment_scheduling.slot_arrays import SlotArrays, Structure
from edgeplan.solvers.segment_scheduling.together import Noise, Structures, Together, solve_together

OnBetter = Callable[[float | None, float | None], None]
"""Called with the best objective and bound so far."""

ROUNDS = 40
MOST_EXCHANGED = 32  # clusters among which single structures are exchanged
RECALLED = 16  # structures of a cluster that the next slot tries
_LEAST_PRICE = 1e-9  # of a cluster's latency, relative to that of T: for one that never waits
_SHARE = 0.25  # of the gap: what pricing may leave open, all clusters together
_COARSE = 0.1  # of the objective: the gap that the first pricing of a slot is made for
_ENOUGH = 0.1  # of the gap: what prices must still promise, for another round


@dataclass(frozen=True)
class Before:
    """What a slot leaves to the next: its best prices, and its cheapest structures for them."""

    prices: SlotPrices
    structures: Mapping[int, tuple[Structure, ...]]


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
    on_better: OnBetter | None = None
    met: Before | None = None
    """What the next slot may begin from."""
    _evaluated: dict[tuple[Structure, ...], Together | None] = field(default_factory=dict)

    def run(self, start: Structures, before: Before | None = None) -> None:
        """Search from structures that fit, and what the slot before met, until gap or time is reached."""
        first = self.evaluate(start) or self.best
        if first is None:
            return
        self.raise_bound(self.noise.cost(self.noise.most))  # what no decision can undercut
        root = Root(self, first, before)
        root.recall()
        if self.is_late:
            return
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
        least = 1e-12 * tradeoff * together.latency_s / self.band_hz if self.band_hz > 0 else 0.0
        return SlotPrices(
            {n: scale * price for n, price in raised.items()}, max(together.hertz, least, 1e-300)
        )

    def columns_of(self, together: Together) -> dict[int, Column]:
        """Return the decisions of a joint solution."""
        return {
            n: Column(together.structures[n], solved.latency_s, solved.uplink_band_hz, solved.cost)
            for n, solved in together.solved.items()
        }


@dataclass
class Root:
    """All structures: the bound that prices give, improved in turn with the plan.

    Parameters
    ----------
    search
        The slot.
    first
        A joint solution to begin with.
    before
        What the slot before met; nothing by default.
    """

    search: SlotSearch
    first: Together
    before: Before | None
    prices: SlotPrices | None = None
    bound: float = -math.inf
    least: np.ndarray = field(default_factory=lambda: np.empty(0))
    """Lower bounds at the best prices, by cluster and micro-batches."""
    columns: dict[int, dict[Structure, Column]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        search = self.search
        self.master = DualMaster(search.slot.prices.second, search.band_hz, search.noise)
        self._meet(search.columns_of(self.first))

    def recall(self) -> None:
        """Try the structures that the slot before met, at its prices."""
        if self.before is None:
            return
        search, prices = self.search, self.before.prices
        for n, structures in self.before.structures.items():
            candidates = Candidates(search.slot, n, structures)
            for k in range(len(structures)):
                _, column = candidates.settle(k, prices.of(n))
                if column is not None:
                    self._add(n, column)
        mixed = self._cheapest(prices)
        together = search.evaluate({n: column.structure for n, column in mixed.items()})
        if together is not None:
            self._meet(search.columns_of(together))
        self._vary()
        self._remember(prices)

    def _vary(self) -> None:
        """Give single clusters of the best plan some more or fewer micro-batches."""
        search, best = self.search, self.search.best
        assert best is not None
        if len(best.structures) > FEW_CLUSTERS:
            return
        for n in best.structures:
            for step in (-4, -1, 1, 4):
                now = search.best.structures[n] if search.best is not None else best.structures[n]
                varied = dataclasses.replace(now, micro_batches=now.micro_batches + step)
                if search.is_late or not search.slot.allows(n, varied):
                    continue
                together = search.evaluate({**(search.best or best).structures, n: varied})
                if together is not None:
                    self._meet(search.columns_of(together))

    def _spread(self, prices: SlotPrices) -> None:
        """Meet the structures so far with few and many micro-batches, so that pricing knows what to beat."""
        most = self.search.slot.instance.problem.instance.training.max_micro_batches
        numbers = sorted({min(2**k, most) for k in range(most.bit_length() + 1)})
        for n, found in list(self.columns.items()):
            varied = dict.fromkeys(
                dataclasses.replace(structure, micro_batches=m) for structure in found for m in numbers
            )
            new = tuple(s for s in varied if s not in found and self.search.slot.allows(n, s))
            candidates = Candidates(self.search.slot, n, new)
            for k in range(len(new)):
                _, column = candidates.settle(k, prices.of(n))
                if column is not None:
                    self._add(n, column)

    def _remember(self, prices: SlotPrices) -> None:
        """Leave the cheapest structures met to the next slot."""
        cheapest = {
            n: sorted(found.values(), key=lambda column: column.price(prices.of(n)))[:RECALLED]
            for n, found in self.columns.items()
        }
        structures = {n: tuple(column.structure for column in kept) for n, kept in cheapest.items()}
        self.search.met = Before(prices, structures)

    def improve(self) -> None:
        """Price, solve what is cheapest together, and ask where the bound may rise; again while it pays."""
        search = self.search
        prices = self.before.prices if self.before else search.prices_of(search.best or self.first)
        self._spread(prices)
        for _ in range(ROUNDS):
            best = search.best
            rose = self._price(prices)
            self._exchange()
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
        if self.prices is not None:
            self._remember(self.prices)

    def _price(self, prices: SlotPrices) -> bool:
        """Bound all mixes, solve the cheapest together, and say whether the bound has risen."""
        search = self.search
        assert search.best is not None
        best = search.best.objective
        open_gap = min(best - self.bound, _COARSE * abs(best))
        share = _SHARE if self.prices is None else _SHARE / 5  # finer once the rough picture is there
        tolerance = max(share * search.gap * abs(best), _ENOUGH / 2 * open_gap)
        pricing = MixPricing(
            search.slot, search.noise, prices, self.columns, tolerance, search.until, search.pool
        )
        bound = pricing.run()
        search.raise_bound(bound)
        rose = bound > self.bound
        if rose:
            self.prices, self.bound, self.least = prices, bound, pricing.least
        for n, column in pricing.found:
            self._add(n, column)
        structures = pricing.cheapest()
        self.master.meet({n: self.columns[n][structure] for n, structure in structures.items()})
        together = search.evaluate(structures)
        if together is not None:
            self._meet(search.columns_of(together))
        return rose

    def _exchange(self) -> None:
        """Give single clusters of the best plan another structure that is cheap at its prices."""
        search, best = self.search, self.search.best
        assert best is not None
        if search.is_done or not 1 < len(best.structures) <= MOST_EXCHANGED:
            return
        prices, earned = search.prices_of(best), search.noise.price(best.micro_batches)
        for n, found in self.columns.items():
            own = prices.of(n)

            def cost(column: Column, own: ClusterPrices = own) -> float:
                return column.price(own) - earned * column.structure.micro_batches

            for column in sorted(found.values(), key=cost)[:2]:
                if search.is_late:
                    return
                assert search.best is not None
                search.evaluate({**search.best.structures, n: column.structure})

    def _next_prices(self, rose: bool) -> SlotPrices | None:
        """Prices that promise a better bound; None where none promises enough."""
        master, best = self.master, self.search.best
        assert self.prices is not None
        assert best is not None
        master.widen() if rose else master.narrow()
        while True:
            following = master.next_prices(self.prices, self.columns, self._cheapest)
            if following is None:
                return None
            prices, promised = following
            if promised - self.bound > _ENOUGH * (best.objective - self.bound):
                return prices
            if master.radius >= 2:
                return None
            master.reset()

    def _cheapest(self, prices: SlotPrices) -> dict[int, Column]:
        most = self.search.slot.instance.problem.instance.training.max_micro_batches
        return cheapest_of(self.columns, prices, most, self.search.noise)

    def _meet(self, mixed: dict[int, Column]) -> None:
        self.master.meet(mixed)
        for n, column in mixed.items():
            self._add(n, column)

    def _add(self, n: int, column: Column) -> None:
        """Keep the decision of each structure that was met last: it is the nearest to the best prices."""
        self.columns.setdefault(n, {})[column.structure] = column
