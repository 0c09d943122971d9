"""The cheapest choice of one decision for each cluster, the noise of all micro-batches included.

For given prices of latency and band the clusters still meet in the number M of all micro-batches. A min-plus
convolution over the clusters finds the best M and who runs how many; with very many clusters a price of a
micro-batch does, whose bound is then all but tight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgeplan.solvers.segment_scheduling.kernel.library import kernel
from edgeplan.solvers.segment_scheduling.together import Noise

MOST_STEPS = 2_000_000  # of a convolution


@dataclass(frozen=True)
class Mix:
    """A lower bound on every mix, and each cluster's micro-batches in the mix that suggests it."""

    bound: float
    micro_batches: tuple[int, ...]


def cheapest_mix(costs: np.ndarray, noise: Noise) -> Mix:
    """Choose micro-batches for every cluster.

    Parameters
    ----------
    costs
        Least cost of each cluster with 1, 2, ... micro-batches, shape (clusters, most micro-batches);
        infinite where there is no way.
    noise
        Cost of the noise.

    Examples
    --------
    >>> cheapest_mix(np.array([[1.0, 1.5], [2.0, 9.0]]), Noise(6.0, 2, 4))
    Mix(bound=5.5, micro_batches=(2, 1))
    """
    clusters, width = costs.shape
    if noise.level == 0:
        chosen = np.argmin(costs, axis=1)
        return Mix(float(costs.min(axis=1).sum()), tuple(int(k) + 1 for k in chosen))
    if clusters * clusters * width * width > MOST_STEPS:
        return _by_price(costs, noise)[1]
    return _by_convolution(costs, noise)


def micro_batch_price(costs: np.ndarray, noise: Noise) -> float:
    """Return what a micro-batch must earn for these costs: by it clusters choose what the noise asks for."""
    return _by_price(costs, noise)[0] if noise.level > 0 else 0.0


def _by_convolution(costs: np.ndarray, noise: Noise) -> Mix:
    costs = np.ascontiguousarray(costs)
    chosen = np.empty(len(costs), dtype=np.int32)
    bound = kernel().mix_micro_batches(costs.ctypes.data, *costs.shape, noise.level, chosen.ctypes.data)
    if math.isnan(bound):
        raise MemoryError("mixing micro-batches ran out of memory")
    return Mix(bound, tuple(chosen.tolist()))


def _by_price(costs: np.ndarray, noise: Noise) -> tuple[float, Mix]:
    """Bisect on the price of a micro-batch: dear ones are run by many, cheap ones by few."""
    micro_batches = np.arange(1, costs.shape[1] + 1)
    low, high = 0.0, noise.level / noise.fewest
    best, best_price = Mix(-np.inf, ()), 0.0
    for _ in range(60):
        price = (low + high) / 2
        earned = costs - price * micro_batches
        chosen = np.argmin(earned, axis=1) + 1
        bound = float(earned.min(axis=1).sum()) + noise.least(price)
        if bound > best.bound:
            best, best_price = Mix(bound, tuple(int(m) for m in chosen)), price
        wanted = (noise.level / price) ** 0.5
        low, high = (price, high) if chosen.sum() < wanted else (low, price)
    return best_price, best
