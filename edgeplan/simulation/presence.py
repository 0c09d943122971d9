"""When a node is there: exponential times up and down, from a stationary start.

A presence has a lane for every round that is simulated at once. Its times are drawn as far as anyone looks;
they do not depend on who looks, or in which order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from edgeplan.errors import UsageError
from edgeplan.simulation.chance import Array, Chance, Drawn, Flags, Lanes
from edgeplan.simulation.settings import Churn

MOST_TIMES = 2**27
"""Times that a presence may hold, 1 GiB."""


class Presence(Protocol):
    """What can be asked about a node; `at` are the lanes asked about, `now` a time of each."""

    def is_there(self, at: Lanes, now: Array) -> Flags:
        """Whether the node is there."""
        ...

    def there_from(self, at: Lanes, now: Array) -> Array:
        """Return the earliest time from `now` on at which it is there."""
        ...

    def leaves_after(self, at: Lanes, now: Array) -> Array:
        """Return when a node that is there at `now` leaves."""
        ...


class Always:
    """A node that never leaves."""

    def is_there(self, at: Lanes, now: Array) -> Flags:
        """Say yes."""
        return np.ones(at.size, dtype=np.bool_)

    def there_from(self, at: Lanes, now: Array) -> Array:
        """Return `now`."""
        return now

    def leaves_after(self, at: Lanes, now: Array) -> Array:
        """Return infinity."""
        return np.full(at.size, np.inf)


class Coming:
    """A node that leaves and returns.

    Parameters
    ----------
    chance
        Streams of the chunk.
    churn
        Mean times up and down.
    lanes
        Number of lanes.
    label
        Which node, as numbers.

    Examples
    --------
    >>> node = Coming(Chance(0, 0), Churn(10.0, 5.0), 1, (7,))
    >>> lane, start = np.array([0]), np.array([0.0])
    >>> bool(node.is_there(lane, node.there_from(lane, start))[0])
    True
    """

    def __init__(self, chance: Chance, churn: Churn, lanes: int, label: tuple[int, ...]) -> None:
        self._chance, self._churn, self._label = chance, churn, label
        self._starts_there = chance.stream(Drawn.START, *label).random(lanes) < churn.share_up
        self._changes: Array = np.zeros((lanes, 0))
        self._blocks = 0

    def is_there(self, at: Lanes, now: Array) -> Flags:
        """Whether the node is there."""
        return self._look(at, now)[0]

    def there_from(self, at: Lanes, now: Array) -> Array:
        """Return `now` where it is there, else when it is back."""
        there, change = self._look(at, now)
        return np.where(there, now, change)

    def leaves_after(self, at: Lanes, now: Array) -> Array:
        """Return when it leaves, `now` where it is away."""
        there, change = self._look(at, now)
        return np.where(there, change, now)

    def _look(self, at: Lanes, now: Array) -> tuple[Flags, Array]:
        """Whether it is there, and when that changes."""
        self._draw_beyond(at, now)
        index = (self._changes[at] <= now[:, None]).sum(axis=1)
        return self._starts_there[at] ^ (index % 2 == 1), self._changes[at, index]

    def _draw_beyond(self, at: Lanes, now: Array) -> None:
        while at.size and (self._blocks == 0 or bool((self._changes[at, -1] <= now).any())):
            self._draw_block()

    def _draw_block(self) -> None:
        """Draw as many times again as there are, and one more."""
        lanes, known = self._changes.shape
        size = 2**self._blocks
        if lanes * (known + size) > MOST_TIMES:
            told = f"--churn {self._churn.mean_up_s:g}/{self._churn.mean_down_s:g}"
            raise UsageError(f"{told}: too short beside a round of this plan; give longer mean times")
        drawn = self._chance.stream(Drawn.STAY, *self._label, self._blocks).standard_exponential(
            (lanes, size)
        )
        up_first = self._starts_there[:, None] ^ ((known + np.arange(size)) % 2 == 1)
        drawn *= np.where(up_first, self._churn.mean_up_s, self._churn.mean_down_s)
        if known:
            drawn[:, 0] += self._changes[:, -1]
        self._changes = np.concatenate([self._changes, np.cumsum(drawn, axis=1)], axis=1)
        self._blocks += 1


class Partly:
    """A node that is needed in some lanes only.

    Parameters
    ----------
    presence
        The node.
    needed
        In which lanes; in the others it counts as there.
    """

    def __init__(self, presence: Presence, needed: Flags) -> None:
        self._presence, self._needed = presence, needed

    def is_there(self, at: Lanes, now: Array) -> Flags:
        """Whether it is there, or not needed."""
        return self._presence.is_there(at, now) | ~self._needed[at]

    def there_from(self, at: Lanes, now: Array) -> Array:
        """Return the earliest time from `now` on at which it is there or not needed."""
        return np.where(self._needed[at], self._presence.there_from(at, now), now)

    def leaves_after(self, at: Lanes, now: Array) -> Array:
        """Return when it leaves; never, where it is not needed."""
        return np.where(self._needed[at], self._presence.leaves_after(at, now), np.inf)


def presence_of(chance: Chance, churn: Churn | None, lanes: int, *label: int) -> Presence:
    """Return when a node is there; always, without churn."""
    return Always() if churn is None else Coming(chance, churn, lanes, label)


def all_there_from(presences: Sequence[Presence], at: Lanes, now: Array) -> Array:
    """Earliest time from `now` on at which all are there."""
    late = now.copy()
    moving = np.ones(at.size, dtype=np.bool_)
    while moving.any():
        before = late.copy()
        for one in presences:
            late[moving] = one.there_from(at[moving], late[moving])
        moving = late > before
    return late


def first_to_leave(presences: Sequence[Presence], at: Lanes, now: Array) -> Array:
    """When the first of nodes that are there at `now` leaves."""
    first = np.full(at.size, np.inf)
    for one in presences:
        first = np.minimum(first, one.leaves_after(at, now))
    return first
