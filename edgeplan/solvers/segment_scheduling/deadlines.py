"""Bounds and plans by deadline: for a latency that all clusters may take, the cheapest choices of each.

Prices alone leave each cluster a latency of its own, and one that is torn between few and many
micro-batches then costs a mixture of both, which no plan attains. Under one deadline T for all, with the
uplink band at a price mu, clusters meet in the number of all micro-batches only:

    bound(mu) = min over T of  V T + min over mixes (m_n) of [sum_n g_nm(T) + noise(sum m_n)] - mu B_max

where g_nm(T) is the least cost of energy and band with which cluster n runs m micro-batches within T.
Pricing at lambda for a second gives a line below it, least - lambda T, whatever T is. So each number of
micro-batches gets the lines that it needs, and T is branched on: between two deadlines the highest lines
amid them are kept, the bound is concave in T, and the ends tell its least.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

import numpy as np

from edgeplan.solvers.segment_scheduling.candidates import Candidates, Column
from edgeplan.solvers.segment_scheduling.dual_master import FEW_CLUSTERS, SlotPrices
from edgeplan.solvers.segment_scheduling.mixing import cheapest_mix
from edgeplan.solvers.segment_scheduling.pricing import ClusterPrices, Priced, price_cluster
from edgeplan.solvers.segment_scheduling.slot_arrays import Structure
from edgeplan.solvers.segment_scheduling.slot_search import SlotSearch

_PIPELINES, _KNOWN = 2, 4  # cheapest pipelines and structures of a cluster whose curves are drawn at once
_FACTORS = (8.0, 3.0, 1.5, 0.7, 0.3, 0.1)  # prices of latency that curves are drawn for, in those given
_HASTE = (2.0, 4.0, 8.0, 16.0)  # the same, for deadlines before all curves
_LEISURE = (0.1, 0.02)  # and behind all curves
_FAR = 8  # times what is lacking, up to which they are priced, for other deadlines
_PARTS = 12  # into which deadlines are divided at first
_NARROWEST = 1.01  # ratio of two deadlines that are not divided any more
_TIGHT = 0.05  # of what a bound lacks: what the choices of a mix may always leave open together
_SHARE = 0.4  # of the gap asked for, likewise, if half of what is lacking is more
_PROMISED = 1.5  # times what a bound lacks: what choices that are priced at once must promise together
_ALIKE = 1.4  # ratio of the prices that numbers of micro-batches may need, to be priced as one range
_LITTLE = 0.1  # of what is loose: what a cluster promises at least, however little its last answer closed
_SAME = 0.05  # logarithm of the ratio of prices that count as the same
_WORK = 60_000  # of pricing one choice
_MOST_PARTS = 400


@dataclass(frozen=True)
class _Within:
    """What a cluster costs at least within a deadline, as far as structures are known, by micro-batches.

    Parameters
    ----------
    deadline_s
        The deadline.
    costs
        Infinite where none is known; numbers between known ones are filled in linearly.
    seconds
        Prices of a second there.
    which
        The structures, -1 where none is known.
    """

    deadline_s: float
    costs: np.ndarray
    seconds: np.ndarray
    which: np.ndarray


@dataclass
class _Curves:
    """What structures of a cluster cost over their latency: points met, and straight lines between them."""

    search: SlotSearch
    cluster: int
    prices: ClusterPrices
    most: int
    structures: list[Structure] = field(default_factory=list)
    _latency_s: np.ndarray = field(default_factory=lambda: np.empty((0, len(_FACTORS))))
    _cost: np.ndarray = field(default_factory=lambda: np.empty((0, len(_FACTORS))))

    def add(self, structures: Iterable[Structure]) -> None:
        """Draw the curves of structures that fit and have none yet."""
        known = set(self.structures)
        new = tuple(
            s
            for s in dict.fromkeys(structures)
            if s not in known and self.search.slot.allows(self.cluster, s)
        )
        candidates = Candidates(self.search.slot, self.cluster, new)
        points = np.full((2, len(new), len(_FACTORS)), np.inf)
        for k in range(len(new)):
            for j, factor in enumerate(_FACTORS):
                _, column = candidates.settle(
                    k, ClusterPrices(factor * self.prices.second, self.prices.hertz)
                )
                if column is not None:
                    points[:, k, j] = column.latency_s, column.cost + self.prices.hertz * column.band_hz
        self.structures += new
        self._latency_s = np.vstack([self._latency_s, np.maximum.accumulate(points[0], axis=1)])
        self._cost = np.vstack([self._cost, points[1]])

    def at(self, deadline_s: float) -> _Within:
        """What is known for a deadline."""
        costs, seconds = np.full(self.most, np.inf), np.full(self.most, self.prices.second)
        which = np.full(self.most, -1)
        cost, second = self._on_curves(deadline_s)
        for k in np.argsort(-cost):  # the cheapest comes last
            m = self.structures[k].micro_batches - 1
            costs[m], seconds[m], which[m] = cost[k], max(second[k], 0.0), k
        known = np.flatnonzero(np.isfinite(costs))
        if len(known) > 1:
            inside = np.arange(known[0], known[-1] + 1)
            costs[inside] = np.interp(inside, known, costs[known])
            seconds[inside] = np.interp(inside, known, seconds[known])
        return _Within(deadline_s, costs, seconds, which)

    def _on_curves(self, deadline_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Cost of each structure within a deadline, and the price of a second; cubic between points."""
        behind = (self._latency_s <= deadline_s).sum(axis=1)
        rows, left = np.arange(len(behind)), np.maximum(behind - 1, 0)
        right = np.minimum(behind, len(_FACTORS) - 1)
        (t0, t1), (c0, c1) = (
            [of[rows, side] for side in (left, right)] for of in (self._latency_s, self._cost)
        )
        s0, s1 = (self.prices.second * np.array(_FACTORS)[side] for side in (left, right))
        inside = (behind > 0) & (t1 > t0) & np.isfinite(t1)
        wait = np.where(inside, t1 - t0, 1.0)
        x = np.where(inside, deadline_s - t0, 0.0) / wait
        fall = np.where(inside, c0 - c1, 0.0)
        cubic = c0 - (3 - 2 * x) * x**2 * fall + wait * x * (1 - x) * (x * s1 - (1 - x) * s0)
        slope = 6 * x * (1 - x) * fall / wait + (1 - x) * (1 - 3 * x) * s0 - x * (2 - 3 * x) * s1
        return np.where(behind > 0, cubic, np.inf), np.where(inside, np.maximum(slope, s1), 0.0)


@dataclass
class _Lines:
    """Lower bounds of a cluster's cost over its latency T: ``least[k, m - 1] - price[k] T``."""

    price: np.ndarray
    least: np.ndarray

    def add(self, price: float, least: np.ndarray) -> None:
        """Draw another line for every number of micro-batches; minus infinity where there is none."""
        self.price, self.least = np.append(self.price, price), np.vstack([self.least, least])

    def at(self, deadline_s: float) -> np.ndarray:
        """The highest lines at a deadline, by micro-batches."""
        lines: np.ndarray = self.least - self.price[:, None] * deadline_s
        return np.asarray(lines.max(axis=0))

    def amid(self, ends_s: tuple[float, float]) -> list[np.ndarray]:
        """The lines that are the highest amid two deadlines, at both of them."""
        highest = (self.least - self.price[:, None] * math.sqrt(ends_s[0] * ends_s[1])).argmax(axis=0)
        least, price = self.least[highest, np.arange(self.least.shape[1])], self.price[highest]
        return [least - price * end for end in ends_s]


@dataclass(frozen=True)
class _Question:
    """Micro-batches of a cluster to be priced, at a price of latency, each earning something."""

    key: tuple[int, int, int, int]
    """Row, first and last number, price on a scale: what counts as the same question."""
    numbers: np.ndarray
    second: float
    earned: float
    cutoff: float
    loose: float
    """By how much the bound may rise."""
    promise: float
    """By how much it is likely to."""

    @property
    def row(self) -> int:
        """Row of the cluster."""
        return self.key[0]


@dataclass
class DeadlineSearch:
    """Branches on the deadline of a slot, at one price of the band.

    Parameters
    ----------
    search
        The slot, with a plan; better ones are kept there.
    columns
        Decisions met, by cluster.
    prices
        The price of the band, and those of latency from which lines are begun.
    least
        Lower bounds at these prices, by cluster and micro-batches.
    """

    search: SlotSearch
    columns: Mapping[int, Mapping[Structure, Column]]
    prices: SlotPrices
    least: np.ndarray
    found: list[tuple[int, Column]] = field(default_factory=list)
    """Decisions that pricing met."""

    def __post_init__(self) -> None:
        self.clusters, most = list(self.columns), self.least.shape[1]
        self._tradeoff = self.search.slot.prices.second
        self._band_cost = self.prices.hertz * self.search.band_hz
        own = [self.prices.of(n) for n in self.clusters]
        self._curves = [
            _Curves(self.search, n, prices, most) for n, prices in zip(self.clusters, own, strict=True)
        ]
        self._lines = [  # that of no price holds everywhere: nothing costs less than nothing
            _Lines(np.array([0.0, prices.second]), np.array([np.zeros(most), least]))
            for prices, least in zip(own, self.least, strict=True)
        ]
        self._asked: set[tuple[int, int, int, int]] = set()
        self._closed = np.ones(len(own))  # share of what was loose that the last answer closed, by row

    def run(self) -> float:
        """Return a lower bound on the slot, the band paid for."""
        search, best = self.search, self.search.best
        assert best is not None
        self._draw()
        latest = best.objective / self._tradeoff  # what takes longer costs more than the plan
        edges = [0.0, *np.geomspace(min(best.latency_s, latest) / 4, latest, _PARTS)]
        parts = [(-math.inf, ends) for ends in itertools.pairwise(edges)]
        for _ in range(_MOST_PARTS):
            known, ends = parts[0]
            if known >= self._enough or search.is_late:
                break
            bound = max(known, self._bound(ends))
            heapq.heapreplace(parts, (bound, ends))
            if parts[0][1] != ends:
                continue
            amid = math.sqrt(ends[0] * ends[1]) if ends[0] > 0 else ends[1] / 4
            there, mix = self._mix([lines.at(amid) for lines in self._lines], amid)
            if there - bound < (self._enough - bound) / 2:
                within = [curves.at(amid) for curves in self._curves]
                self._try(within, mix)
                if there >= self._enough or self._ask(within, mix, self._enough - there):
                    continue
                if ends[1] <= ends[0] * _NARROWEST:
                    break
            heapq.heapreplace(parts, (bound, (ends[0], amid)))
            heapq.heappush(parts, (bound, (amid, ends[1])))
        return float(min(parts[0][0], best.objective))

    @property
    def _enough(self) -> float:
        """The bound that closes the slot."""
        assert self.search.best is not None
        return self.search.best.objective - self._gap

    @property
    def _gap(self) -> float:
        """The gap asked for, absolute."""
        assert self.search.best is not None
        return self.search.gap * abs(self.search.best.objective)

    def _draw(self) -> None:
        """Draw the curves of the cheapest structures met, and of their pipelines with other micro-batches."""
        most, best = self.least.shape[1], self.search.best
        assert best is not None
        numbers = {2**k for k in range(most.bit_length())} | {most}
        if len(self.clusters) <= FEW_CLUSTERS:
            numbers = set(range(1, most + 1))
        earned = self.search.noise.price(best.micro_batches)
        for curves in self._curves:
            met = self.columns[curves.cluster]

            def cost(s: Structure, met: Mapping[Structure, Column] = met, curves: _Curves = curves) -> float:
                return met[s].price(curves.prices) - earned * s.micro_batches

            ranked = sorted(met, key=cost)
            pipelines = list(dict.fromkeys((s.devices, s.ends) for s in ranked))[:_PIPELINES]
            varied = [Structure(m, *pipeline) for pipeline in pipelines for m in sorted(numbers)]
            curves.add([*ranked[:_KNOWN], *varied])

    def _bound(self, ends_s: tuple[float, float]) -> float:
        """Bound all plans whose latency is between two deadlines."""
        at_ends = zip(*(lines.amid(ends_s) for lines in self._lines), strict=True)
        return min(self._mix(costs, end)[0] for end, costs in zip(ends_s, at_ends, strict=True))

    def _mix(self, costs: Sequence[np.ndarray], deadline_s: float) -> tuple[float, tuple[int, ...]]:
        """The cheapest mix of costs for a deadline, and what the slot costs with it."""
        mix = cheapest_mix(np.array(costs), self.search.noise)
        return self._tradeoff * deadline_s + mix.bound - self._band_cost, mix.micro_batches

    def _try(self, within: Sequence[_Within], mix: tuple[int, ...]) -> None:
        """Solve the cheapest structures known for a deadline together: of the mix, and of the curves."""
        known = np.array([np.where(of.which >= 0, of.costs, np.inf) for of in within])
        mixes = {mix}
        if np.isfinite(known.min(axis=1)).all():
            mixes.add(cheapest_mix(known, self.search.noise).micro_batches)
        for numbers in mixes:
            which = [int(of.which[m - 1]) for of, m in zip(within, numbers, strict=True)]
            if min(which) >= 0:
                named = zip(self._curves, which, strict=True)
                self.search.evaluate({curves.cluster: curves.structures[k] for curves, k in named})

    def _ask(self, within: Sequence[_Within], mix: tuple[int, ...], lacking: float) -> bool:
        """Price the most promising choices of a mix at a deadline; returns whether there were any."""
        fine = min(_SHARE * self._gap, lacking / 2)
        tolerance = max(_TIGHT * lacking, fine) / len(mix)
        worth = self.search.noise.price(sum(mix))
        questions = [
            question
            for row, m in enumerate(mix)
            if (question := self._question(row, m, within[row], worth, lacking, tolerance))
        ]
        questions = _most_promising(questions, _PROMISED * lacking)
        lowest = [lines.at(of.deadline_s) for lines, of in zip(self._lines, within, strict=True)]
        pool = self.search.pool

        def answer(question: _Question) -> Priced:
            return price_cluster(
                self.search.slot,
                self.clusters[question.row],
                ClusterPrices(question.second, self.prices.hertz),
                range(question.numbers[0], question.numbers[-1] + 1),
                cutoff=question.cutoff,
                earned=question.earned,
                tolerance=tolerance / 2,
                until=self.search.until,
                work=_WORK,
            )

        answers = map(answer, questions) if pool is None else pool.map(answer, questions)
        for question, priced in zip(questions, list(answers), strict=True):
            self._take(question, priced)
            row, deadline_s = question.row, within[question.row].deadline_s
            closed = float(self._lines[row].at(deadline_s)[mix[row] - 1] - lowest[row][mix[row] - 1])
            self._closed[row] = min(max(closed / question.loose, _LITTLE), 1.0)
        return bool(questions)

    def _question(
        self, row: int, m: int, within: _Within, worth: float, lacking: float, tolerance: float
    ) -> _Question | None:
        """What to price for a cluster to run m micro-batches in time; None if it is known well enough.

        A range of numbers that need about the same price of latency comes first, and those inside it earn
        what its ends differ by, or what they are worth where nothing is known; then the number alone.
        """
        costs, seconds = within.costs, within.seconds
        every, lowest = np.arange(1, len(costs) + 1), self._lines[row].at(within.deadline_s)
        # what a number costs beyond the cheapest by more than its micro-batches are worth does not matter
        aim = float((costs - worth * every).min()) + worth * m + tolerance
        loose = min(float(costs[m - 1]), aim) - float(lowest[m - 1])
        if loose <= tolerance:
            return None
        is_known = math.isfinite(costs[m - 1])
        for second, numbers in self._ways(row, m, costs, seconds):
            first, last = int(numbers[0]), int(numbers[-1])
            key = row, first, last, round(math.log(second) / _SAME)
            if key in self._asked:
                continue
            part = slice(first - 1, last)
            earned, reach = worth, _FAR * max(lacking, self._gap)
            if is_known:
                earned = float(costs[last - 1] - costs[first - 1]) / max(last - first, 1)
                reach = max(lacking, self._gap)
            cutoff = second * within.deadline_s + min(
                float((costs[part] - earned * numbers).min()),
                float(lowest[m - 1]) + reach - earned * m,
                aim - earned * m,
            )
            promise = loose * self._closed[row]
            return _Question(key, numbers, second, earned, cutoff + 1e-7 * abs(cutoff), loose, promise)
        return None

    def _ways(
        self, row: int, m: int, costs: np.ndarray, seconds: np.ndarray
    ) -> Iterator[tuple[float, np.ndarray]]:
        """Prices of a second and numbers around m to price at; several prices where no curve tells."""
        alone, second = np.array([m]), float(seconds[m - 1])
        if np.isfinite(costs[m - 1]) and second > 0:
            near = np.isfinite(costs) & (seconds <= _ALIKE * second) & (seconds >= second / _ALIKE)
            yield second, _run_around(near, m)
            yield second, alone
        else:
            factors = _LEISURE if np.isfinite(costs[m - 1]) else _HASTE
            for factor in factors:
                second = factor * self._curves[row].prices.second
                if math.isinf(costs[m - 1]):
                    yield second, _run_around(np.isinf(costs), m)
                yield second, alone

    def _take(self, question: _Question, priced: Priced) -> None:
        """Draw the line that an answer gives, and the curve of the structure that it names."""
        if priced.least < question.cutoff:  # else the line may be drawn higher where it is needed again
            self._asked.add(question.key)
        line = np.full(self.least.shape[1], -np.inf)
        line[question.numbers - 1] = priced.least + question.earned * question.numbers
        self._lines[question.row].add(question.second, line)
        curves = self._curves[question.row]
        curves.add(priced.structures)
        own = ClusterPrices(question.second, self.prices.hertz)
        for k in range(len(priced.structures)):
            _, column = Candidates(self.search.slot, curves.cluster, priced.structures).settle(k, own)
            if column is not None:
                self.found.append((curves.cluster, column))


def _most_promising(questions: Iterable[_Question], enough: float) -> list[_Question]:
    """The most promising questions, as many as promise enough together."""
    ranked = sorted(questions, key=attrgetter("promise"), reverse=True)
    promised = itertools.accumulate((question.promise for question in ranked), initial=0.0)
    return [question for question, before in zip(ranked, promised, strict=False) if before < enough]


def _run_around(near: np.ndarray, m: int) -> np.ndarray:
    """The numbers around m that are all near."""
    first = last = m
    while first > 1 and near[first - 2]:
        first -= 1
    while last < len(near) and near[last]:
        last += 1
    return np.arange(first, last + 1)
