"""The course of a run: which plan was followed from where to where.

A run begins with one plan. When a node is lost, another plan takes its place in the middle of a round or at
the beginning of one; the legs of the course are what was followed, and say which visits were made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from edgeplan.models.layer_assignment import Plan


class Position(NamedTuple):
    """The next visit: round, counted from 1, and stage, counted from 0.

    Examples
    --------
    >>> Position(1, 2).after(num_stages=3), Position(1, 2) < Position(2, 0)
    (Position(round=2, stage=0), True)
    """

    round: int
    stage: int

    def after(self, num_stages: int) -> Position:
        """Return the position once this visit is made."""
        is_last = self.stage == num_stages - 1
        return Position(self.round + 1, 0) if is_last else Position(self.round, self.stage + 1)


BEGINNING = Position(1, 0)


@dataclass(frozen=True)
class Leg:
    """A plan, from its first visit on.

    Parameters
    ----------
    plan
        Its stages before the first visit, if any, were visited under the plan before, and are the same.
    first
        The first visit under this plan.
    end
        Where it was given up; None for the leg that is under way.
    """

    plan: Plan
    first: Position = BEGINNING
    end: Position | None = None

    def to_document(self) -> dict[str, Any]:
        """Return the leg as plain JSON values."""
        return {
            "plan": self.plan.to_document(),
            "first": list(self.first),
            "end": self.end and list(self.end),
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Leg:
        """Build the leg that `to_document` returned."""
        end = document["end"]
        plan = Plan.from_document(document["plan"])
        return cls(plan, Position(*document["first"]), None if end is None else Position(*end))


def visits_made(legs: Sequence[Leg], until: Position) -> Iterator[tuple[Position, Leg]]:
    """Yield the visits that were made before a position, in order, each with its leg.

    Parameters
    ----------
    legs
        The course.
    until
        Next visit now.

    Examples
    --------
    >>> stages = [{"node": name, "layers": [name]} for name in "ab"]
    >>> both, one = (Plan.from_document({"stages": stages[:count]}) for count in (2, 1))
    >>> course = [Leg(both, end=Position(1, 1)), Leg(one, first=Position(2, 0))]
    >>> [position for position, _ in visits_made(course, Position(3, 0))]
    [Position(round=1, stage=0), Position(round=2, stage=0)]
    """
    for leg in legs:
        position = leg.first
        end = until if leg.end is None else min(leg.end, until)
        while position < end:
            yield position, leg
            position = position.after(len(leg.plan.stages))


def place_of(event: dict[str, Any]) -> Position | None:
    """Return the visit that an event belongs to; None where it belongs to none.

    What was scored was scored before the first visit of the round after it.

    Examples
    --------
    >>> place_of({"event": "trained", "round": 2, "stage": 1}), place_of({"event": "ended", "rank": 0})
    (Position(round=2, stage=1), None)
    """
    if event["event"] == "scored":
        return Position(event["round"] + 1, 0) if event["phase"] == "snake" else None
    return Position(event["round"], event["stage"]) if "round" in event and "stage" in event else None


def holds_before(position: Position) -> Callable[[dict[str, Any]], bool]:
    """Return the test whether an event of an earlier start still holds: it belongs to a visit before.

    Examples
    --------
    >>> holds_before(Position(2, 0))({"event": "trained", "round": 2, "stage": 1})
    False
    """

    def holds(event: dict[str, Any]) -> bool:
        place = place_of(event)
        return place is not None and place < position

    return holds
