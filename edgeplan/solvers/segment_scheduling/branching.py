"""A slot from start to end: prices in rounds, then branching on lists of what they leave open."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field

import numpy as np

from edgeplan.solvers.segment_scheduling.candidates import Candidates, Column
from edgeplan.solvers.segment_scheduling.dual_master import DualMaster, SlotPrices
from edgeplan.solvers.segment_scheduling.mix_pricing import SLACK, cheapest_of
from edgeplan.solvers.segment_scheduling.mixing import cheapest_mix
from edgeplan.solvers.segment_scheduling.pricing import MOST_WORK, price_cluster
from edgeplan.solvers.segment_scheduling.pricing_rounds import PricingRounds
from edgeplan.solvers.segment_scheduling.slot_arrays import Structure
from edgeplan.solvers.segment_scheduling.slot_search import Before, SlotSearch
from edgeplan.solvers.segment_scheduling.together import Structures

MOST_LISTED = 4_000  # structures of a cluster with one number of micro-batches
_FEW_LISTED, _SHORT_WORK = 40, 10_000  # the same, and the work for it, where lists are branched on early
_ROUNDS = 16
_CLOSED = 1e-8  # relative distance from the best plan at which a node is closed

Lists = dict[int, Candidates]
"""Structures of every cluster."""


def search_slot(search: SlotSearch, start: Structures, before: Before | None) -> None:
    """Search from structures that fit, and what the slot before met, until gap or time is reached."""
    first = search.evaluate(start) or search.best
    if first is None:
        return
    search.tighten_bound(search.noise.cost(search.noise.most))  # what no decision can undercut
    rounds = PricingRounds(search, first, before)
    rounds.recall()
    if search.is_late:
        return
    lists = None
    for past in rounds.improve():
        lists = _Listing(rounds, _FEW_LISTED, _SHORT_WORK).run(partly=False) if past > 0 else None
        if lists is not None:
            break
    rounds.remember()
    if not search.is_done and not search.is_late:
        branch(rounds, lists)


def branch(root: PricingRounds, lists: Lists | None = None) -> None:
    """Split lists of what the root's bound leaves until nothing is left; given ones hold all of it."""
    outside = np.inf
    if lists is None:
        listing = _Listing(root)
        lists, outside = listing.run(), listing.outside
    if lists is not None:
        assert root.prices is not None
        columns = {n: dict(found) for n, found in root.columns.items()}
        _Tree(root.search, lists, outside).grow(root.bound, root.prices, columns)


@dataclass
class _Listing:
    """Structures that may be part of a better mix than the best plan."""

    root: PricingRounds
    most: int = MOST_LISTED
    work: int = MOST_WORK
    outside: float = np.inf
    """Least cost of a mix with what no list holds."""

    def run(self, *, partly: bool = True) -> Lists | None:
        """Return the lists; None when time is up, or one does not hold all although it has to."""
        search = self.root.search
        assert search.best is not None
        lists = {}
        for row, n in enumerate(self.root.columns):
            found = dict.fromkeys([search.best.structures[n]])
            for m, forced in enumerate(self._with(row), start=1):
                found |= dict.fromkeys(self._of(row, n, m, forced))
                if search.is_late or (self.outside < np.inf and not partly):
                    return None
            lists[n] = Candidates(search.slot, n, tuple(found))
        return lists

    def _with(self, row: int) -> list[float]:
        """Bound on all mixes in which a cluster runs 1, 2, ... micro-batches."""
        least, search = self.root.least, self.root.search
        assert self.root.prices is not None
        band = self.root.prices.hertz * search.band_hz
        forced = []
        for m in range(least.shape[1]):
            costs = least.copy()
            costs[row, :m] = costs[row, m + 1 :] = np.inf
            forced.append(cheapest_mix(costs, search.noise).bound - band)
        return forced

    def _of(self, row: int, n: int, m: int, forced: float) -> tuple[Structure, ...]:
        search, prices = self.root.search, self.root.prices
        assert search.best is not None
        assert prices is not None
        slack = search.best.objective * (1 + SLACK) - forced
        if slack <= 0:
            return ()
        cutoff = float(self.root.least[row, m - 1]) + slack
        priced = price_cluster(
            search.slot,
            n,
            prices.of(n),
            range(m, m + 1),
            cutoff=cutoff,
            until=search.until,
            most=self.most,
            work=self.work,
        )
        if priced.bound < cutoff:
            self.outside = min(self.outside, forced + priced.bound - float(self.root.least[row, m - 1]))
        return priced.structures


Columns = dict[int, dict[Structure, Column]]


@dataclass
class _Tree:
    """The lists, by cluster, and a bound on what they do not hold."""

    search: SlotSearch
    lists: Lists
    outside: float

    def grow(self, bound: float, prices: SlotPrices, columns: Columns) -> None:
        """Take the node of the least bound, improve its bound, split it."""
        search, order = self.search, itertools.count()
        everything = {n: np.arange(len(c.structures)) for n, c in self.lists.items()}
        nodes = [(bound, next(order), everything, prices, columns)]
        closed = np.inf  # least bound of a node that was closed
        while nodes:
            search.tighten_bound(min(nodes[0][0], self.outside, closed))
            if search.is_done or search.is_late:
                return
            least, _, chosen, prices, columns = heapq.heappop(nodes)
            node = _Node(search, self.lists, chosen, prices, columns, least)
            node.improve()
            closed = min(closed, node.dropped)
            if search.is_late:
                return
            if node.is_closed:
                if all(len(kept) for kept in node.chosen.values()):
                    closed = min(closed, node.bound)
                continue
            parts = node.split()
            if not parts and node.has_shrunk:  # to one structure each, which is to be solved itself
                parts = [next(iter(node.chosen.items()))]
            elif not parts:
                closed = min(closed, node.bound)
            for cluster, kept in parts:
                child = {**node.chosen, cluster: kept}
                heapq.heappush(nodes, (node.bound, next(order), child, node.prices, node.columns))
        search.tighten_bound(min(closed, self.outside))


@dataclass
class _Node:
    """Some structures of every cluster, by their places in the lists."""

    search: SlotSearch
    lists: Lists
    chosen: dict[int, np.ndarray]
    prices: SlotPrices
    columns: Columns
    bound: float
    is_closed: bool = False
    dropped: float = np.inf
    """Least bound of a mix with a structure that was dropped."""
    _met: dict[int, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Keep the columns of structures that the node still has."""
        kept = {n: {self.lists[n].structures[k] for k in places} for n, places in self.chosen.items()}
        self.columns = {
            n: {s: column for s, column in found.items() if s in kept[n]} for n, found in self.columns.items()
        }
        self._size = sum(map(len, self.chosen.values()))
        search = self.search
        self._master = DualMaster(search.slot.prices.second, search.band_hz, search.noise)

    @property
    def has_shrunk(self) -> bool:
        """Whether structures were dropped."""
        return sum(map(len, self.chosen.values())) < self._size

    def improve(self) -> None:
        """Raise the bound by better prices, as at the root; everything is listed here."""
        search, prices, tried = self.search, self.prices, list[dict[int, Structure]]()
        for _ in range(_ROUNDS):
            bound, picks = self._cheapest_listed(prices)
            rose = bound > self.bound + 1e-9 * abs(self.bound)
            if bound > self.bound:
                self.bound, self.prices = bound, prices
            if not np.isfinite(bound):
                self.is_closed = True
                return
            structures = {n: self.lists[n].structures[k] for n, k in picks.items()}
            self._master.meet({n: self.columns[n][structure] for n, structure in structures.items()})
            together = search.evaluate(structures)
            if self._is_beaten():
                self.is_closed = True
                return
            if search.is_late:
                return
            if (
                together is not None and structures not in tried
            ):  # its own prices close it if nothing is better
                tried.append(structures)
                self._meet(search.columns_of(together))
                prices = search.prices_of(together)
                continue
            self._master.widen() if rose else self._master.narrow()
            following = self._master.next_prices(self.prices, self.columns, self._cheapest_met)
            assert search.best is not None
            if following is None:
                return
            prices, promised = following
            if promised - self.bound <= 0.05 * (search.best.objective - self.bound):
                return

    def _meet(self, mixed: dict[int, Column]) -> None:
        self._master.meet(mixed)
        for n, column in mixed.items():
            self.columns[n][column.structure] = column

    def _is_beaten(self) -> bool:
        return self.bound >= self._target or any(len(chosen) == 0 for chosen in self.chosen.values())

    def _cheapest_listed(self, prices: SlotPrices) -> tuple[float, dict[int, int]]:
        """Proven least cost of all mixes of the node's structures, and the mix."""
        clusters = list(self.chosen)
        costs = {n: self.lists[n].least(self.chosen[n], prices.of(n)) for n in clusters}
        tight = {n: np.zeros(len(costs[n]), dtype=bool) for n in clusters}
        tables = {n: self._by_micro_batches(n, costs[n]) for n in clusters}
        while True:
            mix = cheapest_mix(np.array([tables[n][0] for n in clusters]), self.search.noise)
            if not np.isfinite(mix.bound):
                return np.inf, {}
            picks = {n: int(tables[n][1][m - 1]) for n, m in zip(clusters, mix.micro_batches, strict=True)}
            loose = [n for n in clusters if not tight[n][picks[n]]]
            if not loose:
                break
            for n in loose:
                self._settle(n, picks[n], prices, costs[n])
                tight[n][picks[n]] = True
                tables[n] = self._by_micro_batches(n, costs[n])
        kept = {n: int(self.chosen[n][k]) for n, k in picks.items()}
        for n, k in kept.items():
            self._met.setdefault(n, set()).add(k)
        bound = mix.bound - prices.hertz * self.search.band_hz
        for n in clusters:
            self._drop(n, bound + costs[n] - tables[n][0][self.lists[n].micro_batches[self.chosen[n]] - 1])
        return bound, kept

    def _drop(self, n: int, bounds: np.ndarray) -> None:
        """Drop the structures with which no mix is better than the best plan."""
        beaten = bounds >= self._target
        if beaten.any():
            self.dropped = min(self.dropped, float(bounds[beaten].min()))
            self.chosen = {**self.chosen, n: self.chosen[n][~beaten]}

    @property
    def _target(self) -> float:
        """Bound from which on nothing can be better than the best plan by what matters."""
        assert self.search.best is not None
        best = self.search.best.objective
        return best - max(_CLOSED, 0.5 * self.search.gap) * abs(best)

    def _settle(self, n: int, place: int, prices: SlotPrices, costs: np.ndarray) -> None:
        k = int(self.chosen[n][place])
        bound, column = self.lists[n].settle(k, prices.of(n))
        costs[place] = max(costs[place], bound)
        if column is not None:
            self.columns[n][column.structure] = column

    def _by_micro_batches(self, n: int, costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Least cost for each number of micro-batches, and where it stands."""
        most = self.search.slot.instance.problem.instance.training.max_micro_batches
        table, places = np.full(most, np.inf), np.zeros(most, dtype=int)
        at = self.lists[n].micro_batches[self.chosen[n]] - 1
        np.minimum.at(table, at, costs)
        hits = np.flatnonzero(costs == table[at])
        places[at[hits]] = hits
        return table, places

    def _cheapest_met(self, prices: SlotPrices) -> dict[int, Column]:
        most = self.search.slot.instance.problem.instance.training.max_micro_batches
        return cheapest_of(self.columns, prices, most, self.search.noise)

    def split(self) -> list[tuple[int, np.ndarray]]:
        """Part the list of the cluster whose structures met are farthest apart, in pace or micro-batches."""
        widest, cluster, keys, at = 1e-12, -1, None, 0.0
        for n, met in self._met.items():
            for every in (self.lists[n].paces_s, self.lists[n].micro_batches):
                ends = [float(every[k]) for k in met if k in self.chosen[n]]
                if len(ends) < 2:
                    continue
                spread = (max(ends) - min(ends)) / max(*ends, 1e-300)
                if spread > widest:
                    widest, cluster, keys, at = spread, n, every, (max(ends) + min(ends)) / 2
        if keys is not None:
            mine = self.chosen[cluster]
            return [(cluster, mine[keys[mine] <= at]), (cluster, mine[keys[mine] > at])]
        several = [n for n in self.chosen if len(self.chosen[n]) > 1]
        if not several:
            return []
        cluster = max(several, key=lambda n: (len(self._met[n]), len(self.chosen[n])))
        mine = self.chosen[cluster]
        first = next((k for k in sorted(self._met[cluster]) if k in mine), mine[0])
        return [(cluster, np.array([first])), (cluster, mine[mine != first])]
