"""The cheapest choice of one decision for each cluster, the noise of all micro-batches included.

For given prices of latency and band the clusters still meet in the number M of all micro-batches: a
min-plus convolution over the clusters finds the best M and who runs how many.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeplan.solvers.segment_scheduling.together import Noise


def cheapest_mix(costs: Sequence[np.ndarray], noise: Noise) -> tuple[float, list[int]]:
    """Choose micro-batches for every cluster.

    Parameters
    ----------
    costs
        Of each cluster, its least cost with 1, 2, ... micro-batches; infinite where there is no way.
    noise
        Cost of the noise.

    Returns
    -------
    tuple[float, list[int]]
        The least cost, and each cluster's micro-batches.

    Examples
    --------
    >>> cheapest_mix([np.array([1.0, 1.5]), np.array([2.0, 9.0])], Noise(6.0, 2, 4))
    (5.5, [2, 1])
    """
    totals, choices = np.zeros(1), []
    for cost in costs:
        width = len(cost)
        table = np.full((width, len(totals) + width - 1), np.inf)
        for k in range(width):
            table[k, k : k + len(totals)] = totals + cost[k]
        choices.append(np.argmin(table, axis=0))
        totals = table.min(axis=0)
    micro_batches = np.arange(len(totals)) + len(costs)
    at = int(np.argmin(totals + noise.level / micro_batches))
    best, chosen = float(totals[at] + noise.level / micro_batches[at]), []
    for choice in reversed(choices):
        k = int(choice[at])
        chosen.append(k + 1)
        at -= k
    return best, chosen[::-1]
