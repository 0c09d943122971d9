"""The optimum of one slot by trying all structures of all clusters together.

`every_optimum` solves each combination. `slot_optimum` leaves out those that a bound excludes: prices l_n of
the clusters' times, at least 0 and of sum V, and one of the uplink's band part the clusters, so

    sum_n min [l_n T_n + energies + price * B_n] - price * uplink_bandwidth_hz + (noise of all micro-batches)

is below the objective of a combination, whatever the prices. Kelley's cutting planes choose them, which
affects the work only: every combination whose bounds, at all prices tried, are not above the best plan is
solved. A bound counts the solver's gap and 1e-9 of the value against itself.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from independent.segment_evaluator import Document, Queues
from independent.segment_newton import Batch, Solved, solve
from independent.segment_programme import Array, Part, SlotProgramme

Indices = NDArray[np.int64]
Combination = tuple[Part, ...]
MARGIN, MOST_PRICES, MOST_AT_ONCE, LEAST_SHARE = 1e-9, 12, 400, 1e-3


@dataclass(frozen=True)
class Optimum:
    """The least objective of a slot, the plan's entry that has it, and how many programmes were solved."""

    objective: float
    entry: Document
    parts: Combination
    num_combinations: int
    num_solved: int


@dataclass
class _Best:
    """The best entry so far."""

    slot: SlotProgramme
    objective: float = float("inf")
    entry: Document = field(default_factory=dict)
    parts: Combination = ()
    num_solved: int = 0

    def solve(self, combinations: Sequence[Combination]) -> list[Solved]:
        """Solve combinations of all clusters; the objective is what the evaluator says of the plan."""
        self.num_solved += len(combinations)
        results = solve_all(self.slot, combinations)
        for parts, result in zip(combinations, results, strict=True):
            if result.value[0] < self.objective:
                entry = self.slot.entry(parts, result.band_hz[0], result.power_w[0])
                objective = self.slot.objective(entry)
                assert abs(objective - result.value[0]) <= 1e-9 * objective
                self.objective, self.entry, self.parts = min(objective, result.value[0]), entry, parts
        return results

    def optimum(self) -> Optimum:
        count = int(np.prod([len(parts) for parts in self.slot.parts]))
        objective = float(self.slot.objective(self.entry))
        return Optimum(objective, self.entry, self.parts, count, self.num_solved)


def solve_all(
    slot: SlotProgramme,
    combinations: Sequence[Combination],
    *,
    cluster: int | None = None,
    tradeoff: float | None = None,
    band_price: float = 0.0,
) -> list[Solved]:
    """Solve programmes of any shapes, as many at a time as have the same one.

    `cluster` says that they are this cluster's alone.
    """
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, parts in enumerate(combinations):
        groups[tuple(len(part.links) for part in parts)].append(index)
    places = range(len(slot.case.clusters)) if cluster is None else [cluster]
    price = slot.tradeoff if tradeoff is None else tradeoff
    results: dict[int, Solved] = {}
    for indices in groups.values():
        for start in range(0, len(indices), MOST_AT_ONCE):
            some = indices[start : start + MOST_AT_ONCE]
            solved = solve(Batch(slot, [combinations[index] for index in some], places, price, band_price))
            results |= {index: solved.one(k) for k, index in enumerate(some)}
    return [results[index] for index in range(len(combinations))]


def every_optimum(document: Document, slot: int = 0, queues: Queues | None = None) -> Optimum | None:
    """Return the optimum of a slot with nothing left out; None where some cluster fits no memory."""
    best = _Best(SlotProgramme(document, slot, queues))
    if not all(best.slot.parts):
        return None
    everything = itertools.product(*best.slot.parts)
    while some := list(itertools.islice(everything, 20 * MOST_AT_ONCE)):
        best.solve(some)
    return best.optimum()


def slot_optimum(document: Document, slot: int = 0, queues: Queues | None = None) -> Optimum | None:
    """Return the optimum of a slot; None where some cluster fits no memory."""
    search = _Search(SlotProgramme(document, slot, queues))
    if not all(search.slot.parts):
        return None
    search.choose_prices()
    search.solve_what_is_left()
    return search.best.optimum()


class _Search:
    """What is known of every cluster's structures that may still be in an optimum."""

    def __init__(self, slot: SlotProgramme) -> None:
        self.slot, self.best = slot, _Best(slot)
        self.parts = [list(parts) for parts in slot.parts]
        most = slot.case.training["max_micro_batches"] * len(self.parts)
        self.noise = np.array([slot.noise_cost(total) for total in range(most + 1)])
        # of every price, and there of every cluster, the value of its structures; and what the band pays back
        self.values: list[list[Array]] = []
        self.refunds: list[float] = []
        self.planes: list[tuple[Array, float]] = []

    @property
    def limit(self) -> float:
        return self.best.objective * (1 + MARGIN)

    def choose_prices(self) -> None:
        clusters = len(self.parts)
        prices = np.array([1.0 / clusters] * clusters + [0.0])
        tried: set[Combination] = set()
        for _ in range(MOST_PRICES):
            time, band = prices[:-1] * self.slot.tradeoff, prices[-1] / self.slot.uplink_hz
            solved = [
                solve_all(
                    self.slot, [(part,) for part in parts], cluster=n, tradeoff=time[n], band_price=band
                )
                for n, parts in enumerate(self.parts)
            ]
            self._learn(solved, band)
            chosen, least = self._least_combination()
            parts = tuple(self.parts[n][k] for n, k in enumerate(chosen))
            self._add_plane(prices, least, [one[k] for one, k in zip(solved, chosen, strict=True)])
            if parts not in tried:
                tried.add(parts)
                (joint,) = self.best.solve([parts])
                self._add_plane_of_plan(joint)
            self._drop_structures()
            following, promised = self._next_prices()
            if promised - least <= 1e-3 * (self.best.objective - least) or np.allclose(following, prices):
                return
            prices = following

    def _learn(self, solved: list[list[Solved]], band: float) -> None:
        """Keep values that are surely below the optima; the noise is taken out, for it depends on the sum."""
        values = []
        for parts, results in zip(self.parts, solved, strict=True):
            noise = [self.slot.noise_cost(part.structure.micro_batches) for part in parts]
            lows = [one.value[0] - one.gap[0] - MARGIN * abs(one.value[0]) for one in results]
            values.append(np.array(lows) - noise)
        self.values.append(values)
        self.refunds.append(band * self.slot.uplink_hz)

    def _counts(self, cluster: int) -> Indices:
        return np.array([part.structure.micro_batches for part in self.parts[cluster]])

    def _by_total(self, price: int, clusters: Iterable[int]) -> tuple[Array, dict[int, list[int]]]:
        """Return for every total of micro-batches the least sum of values, and whose it is."""
        sums, chosen = np.full(len(self.noise), np.inf), {0: []}
        sums[0] = 0
        for n in clusters:
            new, picked = np.full(len(self.noise), np.inf), {}
            counts, values = self._counts(n), self.values[price][n]
            for m in np.unique(counts):
                k = int(np.flatnonzero(counts == m)[values[counts == m].argmin()])
                for total, before in chosen.items():
                    if sums[total] + values[k] < new[total + m]:
                        new[total + m], picked[int(total + m)] = sums[total] + values[k], [*before, k]
            sums, chosen = new, picked
        return sums, chosen

    def _least_combination(self) -> tuple[list[int], float]:
        sums, chosen = self._by_total(-1, range(len(self.parts)))
        total = int((sums + self.noise).argmin())
        return chosen[total], float(sums[total] + self.noise[total] - self.refunds[-1])

    def _add_plane(self, prices: Array, least: float, chosen: list[Solved]) -> None:
        """The bound is concave in the prices; here is a plane above it, from what was chosen at these."""
        times = self.slot.tradeoff * np.array([one.cluster_s[0, 0] for one in chosen])
        bands = sum(one.uplink_hz[0] for one in chosen) / self.slot.uplink_hz - 1
        slope = np.append(times, bands)
        self.planes.append((slope, least - float(slope @ prices)))

    def _add_plane_of_plan(self, joint: Solved) -> None:
        times = joint.cluster_s[0]
        slope = np.append(self.slot.tradeoff * times, joint.uplink_hz[0] / self.slot.uplink_hz - 1)
        value = joint.value[0] - self.slot.tradeoff * times.max()
        self.planes.append((slope, float(value)))

    def _next_prices(self) -> tuple[Array, float]:
        """Where the lowest of the planes is highest; the band's price is that of the whole band."""
        clusters = len(self.parts)
        rows = [[*(-slope), 1.0] for slope, _ in self.planes]
        bounds = [(LEAST_SHARE, 1.0)] * clusters + [(0.0, 2 * self.best.objective), (None, None)]
        answer = linprog(
            [0.0] * (clusters + 1) + [-1.0],
            A_ub=rows,
            b_ub=[offset for _, offset in self.planes],
            A_eq=[[1.0] * clusters + [0.0, 0.0]],
            b_eq=[1.0],
            bounds=bounds,
        )
        assert answer.status == 0, answer.message
        shares = np.maximum(answer.x[:clusters], LEAST_SHARE)
        return np.append(shares / shares.sum(), max(0.0, answer.x[clusters])), -float(answer.fun)

    def _drop_structures(self) -> None:
        """Keep what can be in a combination within the limit at the last price."""
        kept = []
        for n in range(len(self.parts)):
            sums, _ = self._by_total(-1, [other for other in range(len(self.parts)) if other != n])
            rest = {
                int(m): float((sums[: len(sums) - m] + self.noise[m:]).min())
                for m in np.unique(self._counts(n))
            }
            bounds = self.values[-1][n] + [rest[m] for m in self._counts(n)] - self.refunds[-1]
            kept.append(np.flatnonzero(bounds <= self.limit))
        self.parts = [[parts[k] for k in some] for parts, some in zip(self.parts, kept, strict=True)]
        self.values = [
            [values[some] for values, some in zip(price, kept, strict=True)] for price in self.values
        ]

    def solve_what_is_left(self) -> None:
        """Solve combinations in the order of their bounds, until the next bound is above the best plan."""
        chosen, bounds = self._combinations()
        order = np.argsort(bounds)
        for start in range(0, len(order), MOST_AT_ONCE):
            some = order[start : start + MOST_AT_ONCE]
            some = some[bounds[some] <= self.limit]
            if not len(some):
                return
            self.best.solve([tuple(self.parts[n][k] for n, k in enumerate(chosen[one])) for one in some])

    def _combinations(self) -> tuple[Indices, Array]:
        """Return those within the limit at every price, with the largest bound of each."""
        prices, clusters = range(len(self.values)), range(len(self.parts))
        chosen, totals = np.zeros((1, 0), dtype=np.int64), np.zeros(1, dtype=np.int64)
        sums = np.zeros((len(prices), 1))
        for n in clusters:
            rows, columns = (one.ravel() for one in np.indices((len(chosen), len(self.parts[n]))))
            for price in prices:
                rest = sum(self.values[price][other].min() for other in clusters[n + 1 :])
                bound = sums[price][rows] + self.values[price][n][columns] + rest - self.refunds[price]
                most = (totals[rows] + self._counts(n)[columns]) + sum(
                    self._counts(other).max() for other in clusters[n + 1 :]
                )
                within = bound + self.noise[most] <= self.limit
                rows, columns = rows[within], columns[within]
            chosen = np.hstack([chosen[rows], columns[:, None]])
            totals = totals[rows] + self._counts(n)[columns]
            sums = np.array([sums[price][rows] + self.values[price][n][columns] for price in prices])
        bounds = sums - np.array(self.refunds)[:, None] + self.noise[totals]
        return chosen, bounds.max(0)
