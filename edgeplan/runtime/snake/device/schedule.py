"""The learning rate of a visit, as a share of the run's."""

from __future__ import annotations

import math

CONSTANT, COSINE, DIVERGENCE = "constant", "cosine", "divergence"
SCHEDULES = (CONSTANT, COSINE, DIVERGENCE)


def rate_share(schedule: str, *, round_number: int, rounds: int, divergence: float) -> float:
    """Return what the learning rate is multiplied by.

    Parameters
    ----------
    schedule
        ``constant``; ``cosine``, from 1 in the first round half a wave down towards 0 after the last
        (Loshchilov and Hutter, arXiv 1608.03983, without restarts); or ``divergence``, 1 - the distance of
        the node's labels from the whole's, so that a node which knows few labels takes smaller steps.
    round_number
        From 1.
    rounds
        Of the run.
    divergence
        The node's, 0 to 1.

    Examples
    --------
    >>> [rate_share("cosine", round_number=k, rounds=2, divergence=0.0) for k in (1, 2)]
    [1.0, 0.5]
    >>> rate_share("divergence", round_number=1, rounds=2, divergence=0.25)
    0.75
    """
    if schedule == COSINE:
        return (1.0 + math.cos(math.pi * (round_number - 1) / rounds)) / 2.0
    return 1.0 - divergence if schedule == DIVERGENCE else 1.0
