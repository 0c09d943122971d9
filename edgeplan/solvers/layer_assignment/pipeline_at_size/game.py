"""A two-player game of prices against chains, solved on the chains known so far.

One player spreads one unit of price over the rows, the other picks a chain; an entry says by how much a
chain oversteps a row. If some prices make every chain pay more than nothing, no mixture of chains keeps
all rows, and no plan does. Optimistic multiplicative weights (Rakhlin and Sridharan, arXiv:1311.1869).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeplan.solvers.layer_assignment.pipeline_at_size.nodes import Floats

_RATE = 0.5
_BLOCK = 100
_MOST_BLOCKS = 20
_PRECISION = 0.05
_ABSOLUTE = 5e-3
_FLOOR = 1e-6
_LEAST = 1e-30


@dataclass(frozen=True)
class Balance:
    """Prices of the rows, shares of the chains, and the best that the chains' player can do."""

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
    scaled = _RATE * entries / max(float(np.abs(entries).max()), 1e-12)
    by_chain = np.ascontiguousarray(scaled.T)
    prices, shares = _normal(np.maximum(prices, _FLOOR)), _normal(np.maximum(shares, _FLOOR))
    gain, pay = scaled @ shares, by_chain @ prices
    sum_of_prices, sum_of_shares = np.zeros_like(prices), np.zeros_like(shares)
    for block in range(_MOST_BLOCKS):
        for _ in range(_BLOCK):
            new_gain, new_pay = scaled @ shares, by_chain @ prices
            prices = _normal(prices * np.exp(2 * new_gain - gain) + _LEAST)
            shares = _normal(shares * np.exp(pay - 2 * new_pay) + _LEAST)
            gain, pay = new_gain, new_pay
            sum_of_prices += prices
            sum_of_shares += shares
        found_prices, found_shares = _normal(sum_of_prices), _normal(sum_of_shares)
        highest, lowest = float((entries @ found_shares).max()), float((found_prices @ entries).min())
        if highest - lowest <= max(_ABSOLUTE, _PRECISION * abs(highest)):
            break
        if block in (0, 3, 9):  # what came before was further off
            sum_of_prices, sum_of_shares = np.zeros_like(prices), np.zeros_like(shares)
    return Balance(found_prices, found_shares, highest)


def _normal(weights: Floats) -> Floats:
    return np.asarray(weights / weights.sum())
