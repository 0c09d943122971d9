"""The best prices for what is known: a linear programme over decisions met, within a trust region.

A column is a decision that one cluster could take: structure, latency T, band B and cost of energy. For
prices lambda_n (of a cluster's latency, V in all) and mu (of a hertz) the bound that pricing gives is at most
what the columns allow. Of few clusters every mix of columns is a cut,

    max  theta - mu B_max   s.t.  theta <= sum_n (cost + lambda_n T + mu B) + noise(M)  for each mix met,

of many the clusters are cut apart, with a price kappa of a micro-batch between them:

    max  sum_n theta_n - mu B_max + phi
    s.t. theta_n <= cost + lambda_n T + mu B - kappa m  for each column,
         phi <= noise(M) + kappa M  for every M

The solution says where to price next: Kelley's cutting planes, kept near the best prices so far.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from edgeplan.solvers.segment_scheduling.candidates import Column
from edgeplan.solvers.segment_scheduling.pricing import ClusterPrices
from edgeplan.solvers.segment_scheduling.slot_arrays import Structure
from edgeplan.solvers.segment_scheduling.together import Noise

FEW_CLUSTERS = 16  # with which mixes are cuts, and nothing is swept before it is priced
_WIDEST, _NARROWEST, _START = 1e3, 1.0005, 3.0
_MOST_COLUMNS = 24  # of a cluster cut apart, the cheapest at the best prices
_MOST_CUTS = 200


@dataclass(frozen=True, slots=True)
class SlotPrices:
    """Prices of all clusters: of each one's second, and of a hertz of uplink."""

    second: Mapping[int, float]
    hertz: float

    def of(self, cluster: int) -> ClusterPrices:
        """Prices as one cluster meets them."""
        return ClusterPrices(self.second[cluster], self.hertz)


Mixed = Mapping[int, Column]
"""One decision of every cluster."""


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
    radius: float = _START
    _cuts: list[Mixed] = field(default_factory=list)

    def widen(self) -> None:
        """Trust the columns farther away."""
        self.radius = min(_WIDEST, self.radius**1.5)

    def narrow(self) -> None:
        """Trust them less."""
        self.radius = max(_NARROWEST, self.radius**0.4)

    def reset(self) -> None:
        """Trust them as in the beginning."""
        self.radius = _START

    def next_prices(
        self,
        centre: SlotPrices,
        columns: Mapping[int, Mapping[Structure, Column]],
        cheapest: Callable[[SlotPrices], Mixed],
    ) -> tuple[SlotPrices, float] | None:
        """Best prices near `centre` and the bound that they promise; None where the programme fails.

        Parameters
        ----------
        centre
            The best prices so far.
        columns
            The decisions met of every cluster.
        cheapest
            Gives the cheapest mix of them for any prices.
        """
        if len(columns) > FEW_CLUSTERS:
            return self._apart(centre, columns)
        self._cuts = self._cuts[-_MOST_CUTS:]
        for _ in range(30):
            found = self._over_mixes(centre)
            if found is None:
                return None
            prices, promised = found
            mixed = cheapest(prices)
            if self._value(mixed, prices) >= promised - 1e-9 * abs(promised):
                return found
            self._cuts.append(mixed)
        return found

    def meet(self, mixed: Mixed) -> None:
        """Take a mix in as a cut."""
        self._cuts.append(mixed)

    def _value(self, mixed: Mixed, prices: SlotPrices) -> float:
        own = sum(column.price(prices.of(n)) for n, column in mixed.items())
        return own + self._noise_of(mixed) - prices.hertz * self.band_hz

    def _noise_of(self, mixed: Mixed) -> float:
        return self.noise.cost(sum(column.structure.micro_batches for column in mixed.values()))

    def _over_mixes(self, centre: SlotPrices) -> tuple[SlotPrices, float] | None:
        """Unknowns: lambda_n and mu in units of their centres, theta."""
        clusters = list(centre.second)
        units = np.array([*centre.second.values(), centre.hertz])
        rows, limits = [], []
        for mixed in self._cuts:
            latencies = [mixed[n].latency_s for n in clusters]
            band = sum(column.band_hz for column in mixed.values())
            rows.append([*(-units[:-1] * latencies), -band * units[-1], 1.0])
            limits.append(sum(column.cost for column in mixed.values()) + self._noise_of(mixed))
        goal = np.array([*np.zeros(len(clusters)), self.band_hz * units[-1], -1.0])
        total = np.array([[*units[:-1], 0.0, 0.0]])
        box = [(1 / self.radius, self.radius)] * len(units)
        found = self._solve(goal, np.array(rows), np.array(limits), total, [*box, (None, None)])
        if found is None:
            return None
        x, promised = found
        return self._prices(clusters, x[: len(units)] * units), promised

    def _apart(
        self, centre: SlotPrices, columns: Mapping[int, Mapping[Structure, Column]]
    ) -> tuple[SlotPrices, float] | None:
        """Unknowns: theta_n, lambda_n and mu in units of their centres, kappa, phi."""
        from scipy.sparse import coo_array

        clusters, count = list(columns), len(columns)
        units = np.array([*(centre.second[n] for n in clusters), centre.hertz])
        entries: list[tuple[int, int, float]] = []
        limits: list[float] = []
        for k, n in enumerate(clusters):
            own = centre.of(n)
            kept = sorted(columns[n].values(), key=lambda column: column.price(own))[:_MOST_COLUMNS]
            for column in kept:
                row = len(limits)
                entries += [
                    (row, k, 1.0),
                    (row, count + k, -column.latency_s * units[k]),
                    (row, 2 * count, -column.band_hz * units[-1]),
                    (row, 2 * count + 1, float(column.structure.micro_batches)),
                ]
                limits.append(column.cost)
        for micro_batches in self._totals():
            entries += [
                (len(limits), 2 * count + 2, 1.0),
                (len(limits), 2 * count + 1, -float(micro_batches)),
            ]
            limits.append(self.noise.cost(micro_batches))
        at, values = np.array([(r, c) for r, c, _ in entries]).T, np.array([v for _, _, v in entries])
        rows = coo_array((values, at), shape=(len(limits), 2 * count + 3)).tocsr()
        goal = np.concatenate([-np.ones(count), np.zeros(count), [self.band_hz * units[-1], 0.0, -1.0]])
        total = np.concatenate([np.zeros(count), units[:-1], np.zeros(3)])[None, :]
        box = [(1 / self.radius, self.radius)] * len(units)
        bounds = [*[(None, None)] * count, *box, (0.0, None), (None, None)]
        found = self._solve(goal, rows, np.array(limits), total, bounds)
        if found is None:
            return None
        x, promised = found
        return self._prices(clusters, x[count : 2 * count + 1] * units), promised

    def _solve(
        self,
        goal: np.ndarray,
        rows: object,
        limits: np.ndarray,
        total: np.ndarray,
        bounds: list[tuple[float | None, float | None]],
    ) -> tuple[np.ndarray, float] | None:
        from scipy.optimize import linprog

        found = linprog(
            goal,
            A_ub=rows,
            b_ub=limits,
            A_eq=total / self.tradeoff,
            b_eq=[1.0],
            bounds=bounds,
            method="highs",
        )
        return None if found.status != 0 else (found.x, -float(found.fun))

    @staticmethod
    def _prices(clusters: list[int], x: np.ndarray) -> SlotPrices:
        return SlotPrices({n: float(value) for n, value in zip(clusters, x, strict=False)}, float(x[-1]))

    def _totals(self) -> list[int]:
        """Numbers of micro-batches whose noise is told: all of few, else ever farther apart."""
        few, many = self.noise.fewest, self.noise.most
        if many - few <= 64:
            return list(range(few, many + 1))
        return sorted({round(float(total)) for total in np.geomspace(few, many, 64)})
