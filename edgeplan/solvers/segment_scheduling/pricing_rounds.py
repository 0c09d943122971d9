"""Prices and plans in turn, over all structures of all clusters.

Each round bounds the slot for some prices, solves the structures that are cheapest for them together, and
takes the multipliers of that programme, or what the linear programme over all decisions met suggests, as the
next prices.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter

import numpy as np

from edgeplan.solvers.segment_scheduling.candidates import Candidates, Column
from edgeplan.solvers.segment_scheduling.deadlines import DeadlineSearch
from edgeplan.solvers.segment_scheduling.dual_master import FEW_CLUSTERS, DualMaster, SlotPrices
from edgeplan.solvers.segment_scheduling.mix_pricing import SLACK, MixPricing, cheapest_of
from edgeplan.solvers.segment_scheduling.pricing import MOST_WORK, ClusterPrices
from edgeplan.solvers.segment_scheduling.slot_arrays import Structure
from edgeplan.solvers.segment_scheduling.slot_search import Before, SlotSearch
from edgeplan.solvers.segment_scheduling.together import Together

ROUNDS = 40
MOST_EXCHANGED = 32  # clusters among which single structures are exchanged
_PASSES = 4  # over the clusters of the best plan, exchanging their structures
_STEPS = (-4, -1, 1, 4)  # by which micro-batches are varied
_EXCHANGED = 6  # structures of a cluster that are tried in the best plan
RECALLED = 16  # structures of a cluster that the next slot tries
_SHARE = 0.25  # of the gap: what pricing may leave open, all clusters together
_ROUGH_WORK, _MANY_WORK = 60_000, 120_000  # of pricing a cluster: in the first pricing, and of many clusters
_COARSE = 0.3  # of the objective: the gap that the first pricing of a slot is made for
_DEADLINES = 3  # every so many rounds, from the second on, deadlines are branched on
_ROUGH = 0.05  # of what prices leave open so far: what pricing may leave open
_ENOUGH = 0.1  # of the gap: what prices must still promise, for another round

Met = Mapping[Structure, Column]
"""The decisions met of one cluster, one for each structure."""


@dataclass
class PricingRounds:
    """The bound that prices give over all structures, improved in turn with the plan.

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
        self._leave(prices)

    def _vary(self) -> None:
        """Give single clusters of the best plan some more or fewer micro-batches."""
        search, best = self.search, self.search.best
        assert best is not None
        if len(best.structures) > FEW_CLUSTERS:
            return
        for n in best.structures:
            for step in _STEPS:
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

    def remember(self) -> None:
        """Leave the best prices and the structures met to the next slot."""
        if self.prices is not None:
            self._leave(self.prices)

    def _leave(self, prices: SlotPrices) -> None:
        """Cheap structures come first, with what micro-batches earn."""
        search = self.search
        assert search.best is not None
        earned = search.noise.price(search.best.micro_batches)
        structures = {}
        for n, found in self.columns.items():
            own = prices.of(n)

            def cost(structure: Structure, found: Met = found, own: ClusterPrices = own) -> float:
                return found[structure].price(own) - earned * structure.micro_batches

            structures[n] = tuple(sorted(found, key=cost)[:RECALLED])
        search.met = Before(prices, structures, search.best.micro_batches)

    def improve(self) -> Iterator[int]:
        """Price, solve what is cheapest together, and ask where the bound may rise; again while it pays.

        Yields the number of every round that leaves the gap open, from 0.
        """
        search = self.search
        prices = self.before.prices if self.before else search.prices_of(search.best or self.first)
        self._spread(prices)
        for past in range(ROUNDS):
            best, bound = search.best, self.bound
            by_deadline = past % _DEADLINES == 1 and 1 < len(self.columns) <= MOST_EXCHANGED
            pricing = self._price(prices, only_sweeps=by_deadline and len(self.columns) > FEW_CLUSTERS)
            self._exchange()
            if search.is_done or search.is_late:
                return
            yield past
            if by_deadline:
                self._branch_on_deadline(pricing)
                if search.is_done or search.is_late:
                    return
            assert search.best is not None
            if search.best is not best:  # its multipliers are the best prices if it is the best plan
                prices = search.prices_of(search.best)
                continue
            following = self._next_prices(rose=self.bound > bound)
            if following is None:
                return
            prices = following

    def _price(self, prices: SlotPrices, *, only_sweeps: bool) -> MixPricing:
        """Bound all mixes, and solve the cheapest together.

        Where deadlines follow, sweeps over many clusters are all, and finer: the rest is better asked there.
        """
        search = self.search
        assert search.best is not None
        best = search.best.objective
        alone = len(self.columns) == 1  # then one pricing proves all
        open_gap = 0.0 if alone else min(best - self.bound, _COARSE * abs(best))
        rough = alone or self.prices is None
        share = _SHARE if rough else _SHARE / 5  # finer once the rough picture is there
        tolerance = max(share * search.gap * abs(best), 0.0 if only_sweeps else _ROUGH * open_gap)
        enough = best - search.gap * abs(best)
        pricing = MixPricing(
            search.slot,
            search.noise,
            prices,
            self.columns,
            tolerance,
            enough,
            search.until,
            self._work(),
            search.pool,
            self._worth(),
            only_sweeps,
        )
        bound = pricing.run()
        search.tighten_bound(bound)
        if bound > self.bound:
            self.prices, self.bound, self.least = prices, bound, pricing.least
        for n, column in pricing.found:
            self._add(n, column)
        mixed = self._cheapest(prices)
        self.master.meet(mixed)
        together = search.evaluate({n: column.structure for n, column in mixed.items()})
        if together is not None:
            self._meet(search.columns_of(together))
        return pricing

    def _work(self) -> int:
        """Most work of pricing a cluster: of many clusters no single one decides the gap."""
        if len(self.columns) == 1:
            return MOST_WORK
        if self.prices is None:
            return _ROUGH_WORK
        return MOST_WORK if len(self.columns) <= FEW_CLUSTERS else _MANY_WORK

    def _worth(self) -> float | None:
        """What a micro-batch is thought to earn; the first plan of a slot tells less than the slot before."""
        assert self.search.best is not None
        if self.prices is not None:
            return self.search.noise.price(self.search.best.micro_batches)
        return self.search.noise.price(self.before.micro_batches) if self.before else None

    def _exchange(self) -> None:
        """Give single clusters of the best plan another structure, while its prices promise a gain."""
        search = self.search
        for _ in range(_PASSES):
            best = search.best
            assert best is not None
            if search.is_done or not 1 < len(best.structures) <= MOST_EXCHANGED:
                return
            for _, n, structure in sorted(self.promised(best), key=itemgetter(0)):
                if search.is_done or search.is_late:
                    return
                assert search.best is not None
                search.evaluate({**search.best.structures, n: structure})
            if search.best is best:
                return

    def promised(self, best: Together) -> Iterator[tuple[float, int, Structure]]:
        """Structures with which one cluster may better the best plan, and what it then costs at least.

        The plan's multipliers bound every plan from below, and itself tightly.
        """
        search, prices = self.search, self.search.prices_of(best)
        earned = search.noise.price(best.micro_batches)
        for n, found in self.columns.items():
            own, now = prices.of(n), best.structures[n]

            def cost(column: Column, own: ClusterPrices = own) -> float:
                return column.price(own) - earned * column.structure.micro_batches

            ranked = sorted(found.values(), key=cost)[:_EXCHANGED]
            varied = [dataclasses.replace(now, micro_batches=now.micro_batches + step) for step in _STEPS]
            others = [column.structure for column in ranked] + [s for s in varied if search.slot.allows(n, s)]
            structures = tuple(dict.fromkeys([now, *others]))
            candidates = Candidates(search.slot, n, structures)
            rest = best.micro_batches - now.micro_batches
            costs = [
                candidates.settle(k, own)[0] + search.noise.cost(rest + structure.micro_batches)
                for k, structure in enumerate(structures)
            ]
            for structure, other in zip(structures[1:], costs[1:], strict=True):
                if other < costs[0] - SLACK * abs(best.objective):
                    yield best.objective + other - costs[0], n, structure

    def _branch_on_deadline(self, pricing: MixPricing) -> None:
        """Bound the slot, and look for plans, by a common deadline at the prices of a pricing."""
        by_deadline = DeadlineSearch(self.search, self.columns, pricing.prices, pricing.least)
        self.search.tighten_bound(by_deadline.run())
        for n, column in by_deadline.found:
            self._add(n, column)

    def _next_prices(self, *, rose: bool) -> SlotPrices | None:
        """Prices that promise a better bound; None where none promises enough."""
        master, best = self.master, self.search.best
        if len(self.columns) == 1:
            return None
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
