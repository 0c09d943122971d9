"""The mean of updates, weighted (McMahan et al., AISTATS 2017, arXiv 1602.05629)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def weighted_mean(vectors: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Average vectors in double precision, in the order given.

    Examples
    --------
    >>> weighted_mean([torch.tensor([0.0]), torch.tensor([4.0])], [3, 1]).tolist()
    [1.0]
    """
    total = torch.zeros(vectors[0].numel(), dtype=torch.float64)
    for vector, weight in zip(vectors, weights, strict=True):
        total += vector.double() * (weight / sum(weights))
    return total.float()
