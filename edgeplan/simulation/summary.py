"""From rounds to distributions."""

from __future__ import annotations

import numpy as np

from edgeplan.models.numbers import LIMIT_TOLERANCE
from edgeplan.models.simulated import Distribution, Shares
from edgeplan.simulation.chance import Array, Flags
from edgeplan.simulation.rounds import Rounds


def distribution(values: Array, ended: Flags) -> Distribution:
    """Describe a figure over rounds; those that did not end count as infinite.

    Parameters
    ----------
    values
        A value a round.
    ended
        Which rounds came to an end.

    Examples
    --------
    >>> distribution(np.array([1.0, 2.0, 4.0]), np.array([True, True, False])).mean
    1.5
    """
    known, least = values[ended], np.where(ended, values, np.inf)
    levels = dict(zip(("p5", "p50", "p95", "p99"), quantiles(least, [0.05, 0.5, 0.95, 0.99]), strict=True))
    return Distribution(
        mean=float(known.mean()) if known.size else None,
        deviation=float(known.std()) if known.size else None,
        least=_finite(least.min()),
        **levels,
        largest=_finite(least.max()),
    )


def quantiles(values: Array, shares: list[float]) -> list[float | None]:
    """Return for each share the least value that so many values do not exceed; None where it is infinite.

    Examples
    --------
    >>> quantiles(np.array([3.0, 1.0, np.inf]), [0.0, 0.5, 1.0])
    [1.0, 3.0, None]
    """
    ordered = np.sort(values)
    ranks = np.maximum(np.ceil(np.array(shares) * ordered.size - 1e-9).astype(int) - 1, 0)
    return [_finite(value) for value in ordered[ranks]]


def shares_of(rounds: Rounds, ended: Flags) -> Shares:
    """Say what the time of the rounds that ended went to in the mean."""

    def mean(values: Array) -> float | None:
        return max(0.0, float(values[ended].mean())) if ended.any() else None

    return Shares(
        compute_s=mean(rounds.compute_s),
        transfer_s=mean(rounds.transfer_s),
        waiting_s=mean(rounds.waiting_s),
        lost_s=mean(rounds.lost_s),
    )


def share_above(time_s: Array, deadline_s: float | None) -> float | None:
    """Share of rounds beyond a deadline, by the tolerance of all limits; None without one."""
    if deadline_s is None:
        return None
    limit = deadline_s + LIMIT_TOLERANCE * max(1.0, deadline_s)
    return float((time_s > limit).mean())


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
