"""How far a node's label distribution is from the whole's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Shares = NDArray[np.float64]


def divergences(label_counts: Sequence[Sequence[int]]) -> list[float]:
    """Return the Jensen-Shannon distance of every node's labels from those of all nodes together.

    The distance is the root of the divergence with logarithms of base 2: 0 for the same distribution, 1 for
    one without a common label (Endres and Schindelin, IEEE Trans. Inf. Theory 2003).

    Parameters
    ----------
    label_counts
        For each node its samples by label.

    Examples
    --------
    >>> divergences([[10, 10], [30, 30]])
    [0.0, 0.0]
    >>> [round(distance, 3) for distance in divergences([[10, 0], [0, 10]])]
    [0.558, 0.558]
    """
    counts = np.asarray(label_counts, dtype=np.float64)
    whole = counts.sum(axis=0) / counts.sum()
    return [_distance(some / some.sum(), whole) for some in counts]


def _distance(some: Shares, whole: Shares) -> float:
    middle = (some + whole) / 2
    divergence = (_relative_entropy(some, middle) + _relative_entropy(whole, middle)) / 2
    return float(np.sqrt(max(divergence, 0.0)))


def _relative_entropy(some: Shares, other: Shares) -> float:
    there = some > 0
    return float((some[there] * np.log2(some[there] / other[there])).sum())
