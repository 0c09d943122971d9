"""The course of a run: who took part from which slot or batch on, and by which plan.

A run begins with all participants of its plan. When some are lost, the others go on from the last slot that
they have kept, by a new plan of the slots that follow. The legs of the course say which plan made which slot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from edgeplan.models.problem import PlanDocument, StatedProblem
from edgeplan.runtime.processes.records import Event
from edgeplan.runtime.processes.supervision import LostNode

ProblemT = TypeVar("ProblemT", bound=StatedProblem[Any, Any])
PlanT = TypeVar("PlanT", bound=PlanDocument)


@dataclass(frozen=True)
class Leg(Generic[ProblemT, PlanT]):
    """Slots or batches that are made by one plan.

    Parameters
    ----------
    problem
        The instance with who is left; its first slot is the first of the leg.
    plan
        A plan of it.
    since
        The last slot or batch before it; 0 is the beginning.
    lost
        Participants that were lost before this leg, and not before an earlier one.
    slower
        Seconds here for a second of the instance, where the settings leave it open.
    """

    problem: ProblemT
    plan: PlanT
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
    def from_document(cls, document: dict[str, Any], kind: type[ProblemT]) -> Self:
        """Build the leg that `to_document` returned, of a kind of problem."""
        return cls(
            problem=kind.from_document(document["instance"]),
            plan=kind.plan_kind.from_document(document["plan"]),
            since=document["since"],
            lost=tuple(LostNode(**one) for one in document["lost"]),
            slower=document["slower"],
        )


def losses(legs: Sequence[Leg[Any, Any]], last: int) -> list[dict[str, Any]]:
    """Return who was lost, in which slot or batch, and how; in none where it was after the last one."""
    return [
        {
            "node": one.node,
            "round": leg.since + 1 if leg.since < last else None,
            "reason": one.how,
            "doing": one.doing,
        }
        for leg in legs
        for one in leg.lost
    ]


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


def batch_holds_until(batch: int, leg: int) -> Callable[[Event], bool]:
    """Return the test whether an event of an earlier start still holds, in a run of batches.

    What belongs to a batch does when that batch is done; what belongs to none, such as memory and speed, when
    it was seen in an earlier leg.

    Parameters
    ----------
    batch
        The last one that is done.
    leg
        Index of the leg that begins.

    Examples
    --------
    >>> holds = batch_holds_until(2, leg=1)
    >>> [holds({"event": "trained", "leg": 0, "batch": number}) for number in (2, 3)]
    [True, False]
    >>> [holds({"event": "measured", "leg": leg}) for leg in (0, 1)]
    [True, False]
    """

    def holds(event: Event) -> bool:
        return bool(event["batch"] <= batch if "batch" in event else event["leg"] < leg)

    return holds
