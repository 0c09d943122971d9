"""A network of activities: each begins when those before it have ended and its nodes are there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgeplan.simulation.attempts import carry_out
from edgeplan.simulation.chance import Array
from edgeplan.simulation.presence import Presence

COMPUTE, TRANSFER, WAITING, LOST = range(4)
"""What time goes to."""


@dataclass(frozen=True)
class Work:
    """An activity as it is played.

    Parameters
    ----------
    before
        Positions of the activities that must have ended, all of them earlier.
    kind
        Computing or a transfer.
    seconds
        What it takes, a round each.
    presences
        Nodes that it needs.
    """

    before: tuple[int, ...]
    kind: int
    seconds: Array
    presences: tuple[Presence, ...]


@dataclass(frozen=True)
class Ended:
    """An activity that has been played: its end, and what went by on the longest chain up to it.

    Parameters
    ----------
    end
        When it ended, a round each.
    chain
        Seconds of the chain of activities that decided this end, by what they went to; the kinds in rows.
    lost_s, attempts_lost
        Of this activity alone.
    """

    end: Array
    chain: Array
    lost_s: Array
    attempts_lost: Array


def play(works: Sequence[Work], rounds: int, seen: Callable[[int, Ended], None]) -> Ended:
    """Play a network and return its end: of the last activity, with the chain that decided it.

    Parameters
    ----------
    works
        The activities, in an order in which each comes after those before it.
    rounds
        Number of rounds.
    seen
        Is told each activity by its position.
    """
    last_use = {one: index for index, work in enumerate(works) for one in work.before}
    ended: dict[int, Ended] = {}
    ends = []
    for index, work in enumerate(works):
        ready = latest([ended[one] for one in work.before], rounds)
        ended[index] = _played(work, ready)
        seen(index, ended[index])
        if index not in last_use:
            ends.append(ended.pop(index))
        for one in [one for one in work.before if last_use[one] == index]:
            del ended[one]
    return latest(ends, rounds)


def latest(some: Sequence[Ended], rounds: int) -> Ended:
    """Return the latest end in every round, with its chain; of nothing the begin of the round."""
    if not some:
        return Ended(np.zeros(rounds), np.zeros((4, rounds)), np.zeros(rounds), np.zeros(rounds))
    found = some[0]
    for other in some[1:]:
        later = other.end > found.end
        end, chain = np.where(later, other.end, found.end), np.where(later, other.chain, found.chain)
        found = Ended(end, chain, found.lost_s, found.attempts_lost)
    return found


def _played(work: Work, ready: Ended) -> Ended:
    carried = carry_out(work.presences, ready.end, work.seconds)
    chain = ready.chain.copy()
    chain[work.kind] += work.seconds
    chain[WAITING] += carried.waiting
    chain[LOST] += carried.lost
    return Ended(carried.end, chain, carried.lost, carried.attempts_lost)
