"""The smallest conflict of an infeasible instance, checked by solving, and what would mend it.

The solver names a conflict and changes that mend it; here nothing of that is taken on trust. The
conflict alone, all other limits lifted, must have no plan; without any one member it must have one; and
the whole instance must have one under each change, and none under a clearly smaller one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgeplan.models.explanation import Blamed, Relaxation
from edgeplan.models.faults import to_pointer
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Conflict, Figure
from edgeplan.solvers.layer_assignment.explanation.asking import Questions
from edgeplan.solvers.layer_assignment.explanation.conflict.mending import (
    clearly_smaller,
    in_words,
    share_of_change,
    with_limit_at,
)
from edgeplan.solvers.layer_assignment.infeasible.named_limits import NamedLimit, named_limits, without

OnQuestion = Callable[[str], None]
"""Called with each question in words."""


@dataclass(frozen=True)
class Blame:
    """A set of limits that cannot hold together, and single changes that mend it, the smallest first."""

    members: tuple[Blamed, ...]
    verified: bool
    relaxations: tuple[Relaxation, ...]


def verified_conflict(
    problem: LayerAssignment,
    conflicts: Sequence[Conflict],
    questions: Questions,
    on_question: OnQuestion | None = None,
) -> Blame:
    """Check a conflict that a solver named.

    Parameters
    ----------
    conflicts
        At least one.
    """
    check = _Check(problem, questions, on_question or (lambda text: None), tuple(conflicts))
    stands = check.is_infeasible_alone()
    members = tuple(check.member(conflict) for conflict in conflicts)
    verified = stands is True and all(member.needed for member in members)
    mended = (check.relaxation(conflict) for conflict in conflicts if conflict.restores)
    relaxations = sorted((found for found in mended if found), key=lambda found: found.share)
    return Blame(members, verified, tuple(relaxations))


@dataclass(frozen=True)
class _Check:
    problem: LayerAssignment
    questions: Questions
    say: OnQuestion
    conflicts: tuple[Conflict, ...]

    def _share_s(self) -> float:
        """An equal part of the time for each of the questions there may be."""
        return self.questions.remaining_s / (1 + 2 * len(self.conflicts))

    def _limit_at(self, pointer: str) -> NamedLimit:
        return next(limit for limit in named_limits(self.problem) if to_pointer(limit.path) == pointer)

    def _only(self, pointers: set[str]) -> LayerAssignment:
        """The instance with all limits lifted but these."""
        named = named_limits(self.problem)
        return without(self.problem, [limit for limit in named if to_pointer(limit.path) not in pointers])

    def is_infeasible_alone(self) -> bool | None:
        if self.questions.is_over:
            return None
        self.say("the conflict alone")
        answer = self.questions.has_plan(
            self._only({conflict.pointer for conflict in self.conflicts}), self._share_s()
        )
        return None if answer is None else not answer

    def member(self, conflict: Conflict) -> Blamed:
        limit, needed = self._limit_at(conflict.pointer), None
        if not self.questions.is_over:
            self.say(f"the conflict without {conflict.pointer}")
            others = {other.pointer for other in self.conflicts} - {conflict.pointer}
            needed = self.questions.has_plan(self._only(others), self._share_s())
        return Blamed(pointers=(conflict.pointer,), have=conflict.have, needed=needed, message=limit.text)

    def relaxation(self, conflict: Conflict) -> Relaxation | None:
        """The change of one limit, if the whole instance has a plan under it."""
        if self.questions.is_over:
            return None
        limit = self._limit_at(conflict.pointer)
        self.say(f"a change of {conflict.pointer}")
        result = self.questions.first_plan(
            with_limit_at(self.problem, limit, conflict.change_to), self._share_s()
        )
        if result.plan is None:
            return None
        return Relaxation(
            pointers=(conflict.pointer,),
            have=conflict.have,
            change_to=conflict.change_to,
            share=share_of_change(conflict.have, conflict.change_to),
            smallest=self._is_smallest(limit, conflict.change_to),
            objective=result.objective,
            message=in_words(limit, conflict.change_to),
        )

    def _is_smallest(self, limit: NamedLimit, change_to: Figure) -> bool:
        """Whether a clearly smaller change leaves no plan; dropping a limit is the only way of its kind."""
        if not isinstance(change_to, int | float) or self.questions.is_over:
            return change_to is None
        smaller = clearly_smaller(limit, change_to)
        if smaller is None:
            return True
        return self.questions.has_plan(with_limit_at(self.problem, limit, smaller), self._share_s()) is False
