"""A two-player game of prices against chains, solved on the chains known so far.

One player spreads one unit of price over the rows, the other mixes chains; an entry says by how much a
chain oversteps a row. If some prices make every chain pay more than nothing, no mixture of chains keeps
all rows, and no plan does. An interior-point method that stops early: prices from the middle of the good
ones need few further chains (Gondzio, Gonzalez-Brevis and Munari, Math. Prog. Comp. 8, 2016).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Floats

_STEPS = 40
_PRECISION = 0.1
_ABSOLUTE = 2e-3
_CENTRING = 0.2
_TO_THE_WALL = 0.95
_MIXED_IN = 0.3
_FLOOR = 1e-12


@dataclass(frozen=True)
class Balance:
    """Prices of the rows, shares of the chains, and by how much the mixture oversteps a row at most."""

    prices: Floats
    shares: Floats
    value: float


def balance(entries: Floats, prices: Floats, shares: Floats) -> Balance:
    """Solve the game approximately.

    Parameters
    ----------
    entries
        What each chain oversteps each row by, shape [row, chain].
    prices, shares
        Where to begin.
    """
    point = _Point.begin(entries, prices, shares)
    for _ in range(_STEPS):
        highest, lowest = float((entries @ point.shares).max()), float((point.prices @ entries).min())
        if highest - lowest <= max(_ABSOLUTE, _PRECISION * abs(highest)):
            break
        point = point.next(entries)
    return Balance(point.prices, point.shares, float((entries @ point.shares).max()))


@dataclass(frozen=True)
class _Point:
    """Prices w and shares y, each with sum 1, and their slacks: s = v - G y, z = G' w - u, all positive."""

    prices: Floats
    shares: Floats
    row_slacks: Floats
    chain_slacks: Floats

    @classmethod
    def begin(cls, entries: Floats, prices: Floats, shares: Floats) -> _Point:
        prices, shares = _inside(prices), _inside(shares)
        paid, overstepped = prices @ entries, entries @ shares
        room = 0.1 * max(float(np.abs(entries).max()), 1e-6)
        row_slacks = overstepped.max() - overstepped + room
        return cls(prices, shares, row_slacks, paid - paid.min() + room)

    def next(self, entries: Floats) -> _Point:
        """One Newton step towards the central path, a little closer to the optimum."""
        y, w, s, z = self.shares, self.prices, self.row_slacks, self.chain_slacks
        target = _CENTRING * float(y @ z + w @ s) / (len(y) + len(w))
        weight = y / z
        first, second = target / z - y, target / w - s
        m = len(w)
        system = np.zeros((m + 2, m + 2))
        weighted = entries * weight
        system[:m, :m] = weighted @ entries.T
        system[np.arange(m), np.arange(m)] += s / w
        system[:m, m] = system[m, :m] = -weighted.sum(axis=1)
        system[m, m] = weight.sum()
        system[:m, m + 1] = system[m + 1, :m] = 1.0
        right = np.concatenate([entries @ first + second, [-first.sum(), 0.0]])
        step = np.linalg.solve(system, right)
        dw, du, dv = step[:m], step[m], step[m + 1]
        dy = first - weight * (dw @ entries - du)
        ds, dz = dv - entries @ dy, dw @ entries - du
        primal, dual = _longest(y, dy, s, ds), _longest(w, dw, z, dz)
        return _Point(
            np.maximum(w + dual * dw, _FLOOR),
            np.maximum(y + primal * dy, _FLOOR),
            np.maximum(s + primal * ds, _FLOOR),
            np.maximum(z + dual * dz, _FLOOR),
        )


def _longest(first: Floats, d_first: Floats, second: Floats, d_second: Floats) -> float:
    """Longest step, at most 1, that keeps both vectors positive."""
    values, steps = np.concatenate([first, second]), np.concatenate([d_first, d_second])
    shrinking = steps < 0
    return min(1.0, _TO_THE_WALL * float((-values[shrinking] / steps[shrinking]).min(initial=np.inf)))


def _inside(weights: Floats) -> Floats:
    """Weights with sum 1, moved away from zero."""
    return np.asarray((1 - _MIXED_IN) * weights / weights.sum() + _MIXED_IN / len(weights))
