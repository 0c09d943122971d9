"""The course of a run: who took part from which slot on, and by which plan.

A run begins with all participants of its plan. When some are lost, the others go on from the last slot that
all of them have kept, by a new plan of the slots that follow. The legs of the course say which plan made
which slot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.runtime.processes.records import Event
from edgeplan.runtime.processes.supervision import LostNode


@dataclass(frozen=True)
class Leg:
    """Slots that are made by one plan.

    Parameters
    ----------
    problem
        The instance with who is left; its first slot is the first of the leg.
    plan
        A plan of it.
    since
        The last slot before it; 0 is the beginning.
    lost
        Participants that were lost before this leg, and not before an earlier one.
    slower
        Seconds here for a second of the instance, where the settings leave it open.
    """

    problem: SegmentScheduling
    plan: SegmentPlan
    since: int = 0
    lost: tuple[LostNode, ...] = ()
    slower: float | None = None

    def to_document(self) -> dict[str, Any]:
        """Return the leg as plain JSON values."""
        return {
            "instance": self.problem.to_document(),
            "plan": self.plan.to_document(),
            "since": self.since,
            "lost": [vars(one) for one in self.lost],
            "slower": self.slower,
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Leg:
        """Build the leg that `to_document` returned."""
        return cls(
            problem=SegmentScheduling.from_document(document["instance"]),
            plan=SegmentPlan.from_document(document["plan"]),
            since=document["since"],
            lost=tuple(LostNode(**one) for one in document["lost"]),
            slower=document["slower"],
        )


def leg_of(sinces: Sequence[int], slot: int) -> int:
    """Return the index of the leg in which a slot was made.

    Parameters
    ----------
    sinces
        The last slot before each leg.
    slot
        Its number, from 1.

    Examples
    --------
    >>> [leg_of([0, 0, 2], slot) for slot in (1, 2, 3)]
    [1, 1, 2]
    """
    return max(index for index, since in enumerate(sinces) if since < slot)


def holds_until(slot: int) -> Callable[[Event], bool]:
    """Return the test whether an event of an earlier start still holds.

    What belongs to a slot does when that slot is done. The score before the first one holds from then on.

    Parameters
    ----------
    slot
        The last one that is done.

    Examples
    --------
    >>> holds = holds_until(2)
    >>> [holds({"event": "trained", "slot": number}) for number in (0, 2, 3)]
    [True, True, False]
    >>> holds({"event": "calibrated"}), holds_until(0)({"event": "scored", "slot": 0})
    (False, False)
    """

    def holds(event: Event) -> bool:
        return bool(slot > 0 and event.get("slot", slot + 1) <= slot)

    return holds
