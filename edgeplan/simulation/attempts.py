"""Work that is begun anew until the nodes that it needs stay to its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeplan.simulation.chance import Array, Lanes
from edgeplan.simulation.presence import Always, Presence, all_there_from, first_to_leave

MOST_ATTEMPTS = 100
"""Begun more often than this, a piece of work is held to come to no end."""


@dataclass(frozen=True)
class Carried:
    """When work ended, and what went by until then; a value a lane.

    Parameters
    ----------
    end
        When it ended; infinite where it did not.
    waiting
        Seconds of waiting for its nodes.
    lost
        Seconds of attempts that were cut short.
    attempts_lost
        How many.
    """

    end: Array
    waiting: Array
    lost: Array
    attempts_lost: Array


def carry_out(
    presences: Sequence[Presence], ready: Array, seconds: Array, *, lanes: Lanes | None = None
) -> Carried:
    """Carry out work as soon as all its nodes are there; if one leaves before the end, from the start.

    Parameters
    ----------
    presences
        The nodes.
    ready
        Earliest begin in each lane.
    seconds
        What an attempt takes that is not cut short.
    lanes
        Which lanes of the presences these are; all of them by default.

    Examples
    --------
    >>> carry_out([Always()], np.array([1.0]), np.array([2.0])).end
    array([3.])
    """
    end, now = ready + seconds, ready.copy()
    at = np.arange(end.size) if lanes is None else lanes
    waiting, lost, attempts_lost = (np.zeros(end.shape) for _ in range(3))
    coming = [one for one in presences if not isinstance(one, Always)]
    pending = np.flatnonzero(np.isfinite(end)) if coming else np.zeros(0, dtype=np.intp)
    for _ in range(MOST_ATTEMPTS):
        if not pending.size:
            break
        begin = all_there_from(coming, at[pending], now[pending])
        until, leave = begin + seconds[pending], first_to_leave(coming, at[pending], begin)
        waiting[pending] += begin - now[pending]
        cut = leave < until
        end[pending[~cut]] = until[~cut]
        pending, leave, begin = pending[cut], leave[cut], begin[cut]
        lost[pending] += leave - begin
        attempts_lost[pending] += 1
        now[pending] = leave
    end[pending] = np.inf
    return Carried(end, waiting, lost, attempts_lost)
