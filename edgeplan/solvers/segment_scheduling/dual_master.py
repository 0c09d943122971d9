"""The best prices for what is known: a linear programme over columns, within a trust region.

A column is a decision that one cluster could take: structure, latency T, band B, cost of energy and m
micro-batches. For prices lambda_n (of a cluster's latency, V in all), mu (of a hertz) and kappa (of a
micro-batch) no cluster costs more than its cheapest column, ``cost + lambda_n T + mu B - kappa m``. So the
bound on the slot that prices give is at most

    max  sum_n theta_n - mu B_max + phi
    s.t. theta_n <= what each column of n costs,  phi <= noise(M) + kappa M for every M

Its solution says where to price next: Kelley's cutting planes, one for each cluster, kept near the best
prices so far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgeplan.solvers.segment_scheduling.candidates import Column
from edgeplan.solvers.segment_scheduling.pricing import ClusterPrices
from edgeplan.solvers.segment_scheduling.together import Noise

_WIDEST, _NARROWEST = 1e3, 1.0005
_MOST_COLUMNS = 24  # of a cluster, the cheapest at the last prices


@dataclass(frozen=True, slots=True)
class SlotPrices:
    """Prices of all clusters: of each one's second, of a hertz and of a micro-batch."""

    second: Mapping[int, float]
    hertz: float
    micro_batch: float

    def of(self, cluster: int) -> ClusterPrices:
        """Prices as one cluster meets them."""
        return ClusterPrices(self.second[cluster], self.hertz, self.micro_batch)


@dataclass
class DualMaster:
    """Columns so far, and the region in which new prices are sought.

    Parameters
    ----------
    tradeoff
        Price of T, V.
    band_hz
        Uplink band of all clusters.
    noise
        Cost of the noise.
    """

    tradeoff: float
    band_hz: float
    noise: Noise
    columns: dict[int, list[Column]] = field(default_factory=dict)
    radius: float = 3.0

    def add(self, cluster: int, column: Column) -> None:
        """Take a column in."""
        self.columns.setdefault(cluster, []).append(column)

    def widen(self) -> None:
        """Trust the columns farther away."""
        self.radius = min(_WIDEST, self.radius**1.5)

    def narrow(self) -> None:
        """Trust them less."""
        self.radius = max(_NARROWEST, self.radius**0.4)

    def next_prices(self, centre: SlotPrices) -> tuple[SlotPrices, float] | None:
        """Best prices near `centre` and the bound that they promise; None where the programme fails."""
        from scipy.optimize import linprog

        clusters = list(self.columns)
        kept = {n: self._cheapest(n, centre) for n in clusters}
        rows, limits, units = self._rows(clusters, kept, centre)
        count = len(clusters)
        # unknowns: theta_n, lambda_n, mu, kappa in units of their centres, phi
        goal = np.concatenate([-np.ones(count), np.zeros(count), [self.band_hz * units[-2], 0.0, -1.0]])
        total = np.concatenate([np.zeros(count), units[:count], [0.0, 0.0, 0.0]])[None, :]
        box = [(1 / self.radius, self.radius)] * (count + 2)
        bounds = [(None, None)] * count + box + [(None, None)]
        found = linprog(
            goal,
            A_ub=rows,
            b_ub=limits,
            A_eq=total / self.tradeoff,
            b_eq=[1.0],
            bounds=bounds,
            method="highs",
        )
        if found.status != 0:
            return None
        x = found.x[count : 2 * count + 2] * units
        second = {n: float(value) for n, value in zip(clusters, x, strict=False)}
        return SlotPrices(second, float(x[-2]), float(x[-1])), -float(found.fun)

    def _cheapest(self, cluster: int, prices: SlotPrices) -> list[Column]:
        columns = self.columns[cluster]
        if len(columns) > _MOST_COLUMNS:
            own = prices.of(cluster)
            columns = sorted(columns, key=lambda column: column.price(own))[:_MOST_COLUMNS]
            self.columns[cluster] = columns
        return columns

    def _rows(
        self, clusters: Sequence[int], kept: Mapping[int, list[Column]], centre: SlotPrices
    ) -> tuple[object, np.ndarray, np.ndarray]:
        from scipy.sparse import coo_array

        count = len(clusters)
        units = np.array(
            [*(centre.second[n] for n in clusters), centre.hertz, max(centre.micro_batch, 1e-300)]
        )
        entries: list[tuple[int, int, float]] = []
        limits: list[float] = []
        for k, n in enumerate(clusters):
            for column in kept[n]:
                row = len(limits)
                entries += [
                    (row, k, 1.0),
                    (row, count + k, -column.latency_s * units[k]),
                    (row, 2 * count, -column.band_hz * units[-2]),
                    (row, 2 * count + 1, column.structure.micro_batches * units[-1]),
                ]
                limits.append(column.cost)
        for micro_batches in self._totals(centre):
            row = len(limits)
            entries += [(row, 2 * count + 2, 1.0), (row, 2 * count + 1, -micro_batches * units[-1])]
            limits.append(self.noise.cost(micro_batches))
        at = np.array([(row, column) for row, column, _ in entries]).T
        values = np.array([value for _, _, value in entries])
        return coo_array((values, at), shape=(len(limits), 2 * count + 3)).tocsr(), np.array(limits), units

    def _totals(self, centre: SlotPrices) -> list[int]:
        """Numbers of micro-batches whose noise is told: all of few, else ever farther from the best."""
        few, many = self.noise.fewest, self.noise.most
        if many - few <= 64:
            return list(range(few, many + 1))
        root = (self.noise.level / max(centre.micro_batch, 1e-300)) ** 0.5
        spread = np.concatenate([root * np.geomspace(1 / 8, 8, 41), np.geomspace(few, many, 24)])
        return sorted({int(min(max(round(total), few), many)) for total in spread})
