"""The course of a run: which devices took part from where to where.

A run begins with all devices. When some are lost, the others go on from the last round that all of them have
kept; the legs of the course say who made which round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from edgeplan.runtime.processes.records import Event
from edgeplan.runtime.processes.supervision import LostNode
from edgeplan.runtime.sparse.execution.phases import PHASES


class Position(NamedTuple):
    """The last round that is done: phase, counted from 0, and round, from 1; round 0 is the start.

    Examples
    --------
    >>> Position(0, 2).after(rounds=3), Position(0, 3).after(rounds=3)
    (Position(phase=0, round=3), Position(phase=1, round=1))
    """

    phase: int
    round: int

    def after(self, rounds: int) -> Position:
        """Return the round that follows, in phases of so many rounds."""
        return Position(self.phase, self.round + 1) if self.round < rounds else Position(self.phase + 1, 1)


BEGINNING = Position(0, 0)


@dataclass(frozen=True)
class Leg:
    """The devices that are left, from a round on.

    Parameters
    ----------
    since
        The last round before it.
    lost
        Devices that were lost before this leg, and not before an earlier one.
    """

    since: Position = BEGINNING
    lost: tuple[LostNode, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """Return the leg as plain JSON values."""
        return {"since": list(self.since), "lost": [vars(one) for one in self.lost]}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Leg:
        """Build the leg that `to_document` returned."""
        return cls(Position(*document["since"]), tuple(LostNode(**one) for one in document["lost"]))


def leg_of(legs: Sequence[Leg], position: Position) -> int:
    """Return the index of the leg in which a round was made.

    Examples
    --------
    >>> legs = [Leg(), Leg(Position(0, 2))]
    >>> [leg_of(legs, Position(0, number)) for number in (1, 2, 3)]
    [0, 0, 1]
    """
    return max(index for index, leg in enumerate(legs) if leg.since < position)


def holds_until(position: Position, leg: int) -> Callable[[Event], bool]:
    """Return the test whether an event of an earlier start still holds.

    What belongs to a round does when the round is done, but the score of the last one, which is made anew.
    What belongs to none, such as memory and speed, does when it was seen in an earlier leg.

    Parameters
    ----------
    position
        The last round that is done.
    leg
        Index of the leg that begins.

    Examples
    --------
    >>> holds = holds_until(Position(0, 2), leg=1)
    >>> [holds({"event": "trained", "phase": "plan", "round": number}) for number in (2, 3)]
    [True, False]
    >>> [holds({"event": "measured", "phase": "plan", "leg": leg}) for leg in (0, 1)]
    [True, False]
    """

    def holds(event: Event) -> bool:
        if "round" not in event:
            return bool(event["leg"] < leg)
        place = Position(PHASES.index(event["phase"]), event["round"])
        return place < position if event["event"] == "scored" else place <= position

    return holds
