"""Branching on lists of structures: what prices alone leave open is closed list by list."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field

import numpy as np

from edgeplan.solvers.segment_scheduling.candidates import Candidates, Column
from edgeplan.solvers.segment_scheduling.dual_master import DualMaster, SlotPrices
from edgeplan.solvers.segment_scheduling.mixing import cheapest_mix
from edgeplan.solvers.segment_scheduling.pricing import price_cluster
from edgeplan.solvers.segment_scheduling.slot_search import SLACK, Root, SlotSearch

MOST_LISTED = 3_000  # structures of a cluster
MOST_WORK = 100_000
_ROUNDS = 16
_CLOSED = 1e-8  # relative distance from the best plan at which a node is closed


def branch(root: Root) -> None:
    """List the structures that the root's bound leaves, and split the lists until nothing is left."""
    search, prices = root.search, root.prices
    assert search.best is not None
    assert prices is not None
    slack = search.best.objective - root.bound + SLACK * abs(search.best.objective)
    lists: dict[int, Candidates] = {}
    outside = np.inf  # least cost of what no list holds
    for n, least in root.least.items():
        own = prices.of(n)
        cutoff = least + slack
        priced = price_cluster(
            search.slot, n, own, cutoff=cutoff, until=search.until, most=MOST_LISTED, work=MOST_WORK
        )
        if priced.bound < cutoff:
            outside = min(outside, root.bound + priced.bound - least)
        structures = dict.fromkeys((*priced.structures, search.best.structures[n]))
        lists[n] = Candidates(search.slot, n, tuple(structures))
        if search.is_late:
            return
    columns = [(n, column) for n, found in root.columns.items() for column in found.values()]
    _Tree(search, lists, outside).grow(root.bound, prices, columns)


Columns = list[tuple[int, Column]]


@dataclass
class _Tree:
    """The lists, by cluster, and a bound on what they do not hold."""

    search: SlotSearch
    lists: dict[int, Candidates]
    outside: float

    def grow(self, bound: float, prices: SlotPrices, columns: Columns) -> None:
        """Take the node of the least bound, improve its bound, split it."""
        search, order = self.search, itertools.count()
        everything = {n: np.arange(len(c.structures)) for n, c in self.lists.items()}
        nodes = [(bound, next(order), everything, prices, columns)]
        closed = np.inf  # least bound of a node that was closed
        while nodes:
            search.raise_bound(min(nodes[0][0], self.outside, closed))
            if search.is_done or search.is_late:
                return
            least, _, chosen, prices, columns = heapq.heappop(nodes)
            node = _Node(search, self.lists, chosen, prices, columns, least)
            node.improve()
            if search.is_late:
                return
            parts = [] if node.is_closed else node.split()
            if not parts:
                closed = min(closed, node.bound)
            for cluster, kept in parts:
                child = {**chosen, cluster: kept}
                heapq.heappush(nodes, (node.bound, next(order), child, node.prices, node.columns))
        search.raise_bound(min(closed, self.outside))


@dataclass
class _Node:
    """Some structures of every cluster, by their places in the lists."""

    search: SlotSearch
    lists: dict[int, Candidates]
    chosen: dict[int, np.ndarray]
    prices: SlotPrices
    columns: Columns
    bound: float
    is_closed: bool = False
    _met: dict[int, dict[int, int]] = field(default_factory=dict)

    def improve(self) -> None:
        """Raise the bound by better prices, as at the root; the mix of micro-batches is exact here."""
        search = self.search
        master = DualMaster(search.slot.prices.second, search.band_hz, search.noise, radius=4.0)
        kept = {n: {self.lists[n].structures[k] for k in places} for n, places in self.chosen.items()}
        self.columns = [(n, column) for n, column in self.columns if column.structure in kept[n]]
        for n, column in self.columns:
            master.add(n, column)
        prices, tried = self.prices, []
        for _ in range(_ROUNDS):
            bound, picks = self._cheapest(prices, master)
            rose = bound > self.bound + 1e-9 * abs(self.bound)
            if bound > self.bound:
                self.bound, self.prices = bound, prices
            if not np.isfinite(bound):
                self.is_closed = True
                return
            structures = {n: self.lists[n].structures[k] for n, k in picks.items()}
            together = search.evaluate(structures)
            new = together is not None and structures not in tried
            if together is not None:
                tried.append(structures)
                for n, solved in together.solved.items():
                    column = Column(structures[n], solved.latency_s, solved.uplink_band_hz, solved.cost)
                    self._add(n, column, master)
            if self._is_beaten():
                self.is_closed = True
                return
            if search.is_late:
                return
            if new and together is not None:  # its own multipliers are the best prices if nothing is better
                prices = search.prices_of(together)
                continue
            master.widen() if rose else master.narrow()
            following = master.next_prices(self.prices)
            assert search.best is not None
            if following is None:
                return
            prices, promised = following
            if promised - self.bound <= 0.05 * (search.best.objective - self.bound):
                return

    def _add(self, n: int, column: Column, master: DualMaster) -> None:
        master.add(n, column)
        self.columns.append((n, column))

    def _is_beaten(self) -> bool:
        assert self.search.best is not None
        best = self.search.best.objective
        return self.bound >= best - max(_CLOSED, 0.5 * self.search.gap) * abs(best)

    def _cheapest(self, prices: SlotPrices, master: DualMaster) -> tuple[float, dict[int, int]]:
        """Proven least cost of all mixes of the node's structures, and the mix."""
        most = self.search.slot.instance.problem.instance.training.max_micro_batches
        clusters, costs, tight = list(self.chosen), {}, {}
        for n in clusters:
            costs[n] = self.lists[n].least(prices.of(n))[self.chosen[n]]
            tight[n] = np.zeros(len(costs[n]), dtype=bool)
        while True:
            tables, places = zip(*(self._by_micro_batches(n, costs[n], most) for n in clusters), strict=True)
            total, chosen = cheapest_mix(tables, self.search.noise)
            picks = {n: int(at[m - 1]) for n, at, m in zip(clusters, places, chosen, strict=True)}
            loose = [n for n in clusters if not tight[n][picks[n]]]
            if not loose or not np.isfinite(total):
                break
            for n in loose:
                k = int(self.chosen[n][picks[n]])
                bound, column = self.lists[n].settle(k, prices.of(n))
                costs[n][picks[n]] = max(costs[n][picks[n]], bound)
                tight[n][picks[n]] = True
                if column is not None:
                    self._add(n, column, master)
        kept = {n: int(self.chosen[n][k]) for n, k in picks.items()}
        for n, k in kept.items():
            met = self._met.setdefault(n, {})
            met[k] = met.get(k, 0) + 1
        return total - prices.hertz * self.search.band_hz, kept

    def _by_micro_batches(self, n: int, costs: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Least cost for each number of micro-batches, and where it stands."""
        table, places = np.full(most, np.inf), np.zeros(most, dtype=int)
        order = np.argsort(-costs, kind="stable")
        at = self.lists[n].micro_batches[self.chosen[n][order]] - 1
        table[at], places[at] = costs[order], order
        return table, places

    def split(self) -> list[tuple[int, np.ndarray]]:
        """Part the list of the cluster whose structures met are farthest apart, in pace or micro-batches."""
        widest, cluster, keys, at = 0.0, -1, None, 0.0
        for n, met in self._met.items():
            for every in (self.lists[n].paces_s, self.lists[n].micro_batches):
                ends = [float(every[k]) for k in met]
                spread = (max(ends) - min(ends)) / max(*ends, 1e-300)
                if spread > widest + 1e-12:
                    widest, cluster, keys, at = spread, n, every, (max(ends) + min(ends)) / 2
        if keys is not None:
            mine = self.chosen[cluster]
            return [(cluster, mine[keys[mine] <= at]), (cluster, mine[keys[mine] > at])]
        cluster = max(self.chosen, key=lambda n: (len(self._met.get(n, {})), len(self.chosen[n])))
        mine = self.chosen[cluster]
        if len(mine) == 1:
            wide = [n for n in self.chosen if len(self.chosen[n]) > 1]
            if not wide:
                return []
            cluster = wide[0]
            mine = self.chosen[cluster]
        first = next((k for k in self._met.get(cluster, {}) if k in mine), mine[0])
        return [(cluster, np.array([first])), (cluster, mine[mine != first])]
