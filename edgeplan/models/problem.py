"""What all problems share: an instance, and the judgement of plans."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar, Generic, Self, TypeVar

from edgeplan.errors import InvalidPlanError
from edgeplan.models.document import sha256
from edgeplan.models.faults import MAX_COLLECTED, Fault
from edgeplan.models.fields import Document
from edgeplan.models.reading import read_document
from edgeplan.models.violation import Check, Violation

InstanceT = TypeVar("InstanceT", bound=Document)
PlanT = TypeVar("PlanT", bound="PlanDocument")


class PlanDocument(Document):
    """A plan as it is read and written."""

    @classmethod
    def from_document(cls, document: Any, *, source: str | None = None) -> Self:
        """Read a plan strictly.

        Raises
        ------
        InvalidInputError
            With all faults; pointers begin at the plan.
        """
        return read_document(document, cls, source=source)

    def to_document(self) -> dict[str, Any]:
        """Return the plan as plain JSON values."""
        return self.model_dump(mode="json")


@dataclass(frozen=True)
class StatedProblem(Generic[InstanceT, PlanT]):
    """An instance, validated once, that judges plans of its own kind and knows no solver.

    Parameters
    ----------
    instance
        The instance as read.
    document
        The plain JSON values that it was read from; never changed.
    """

    name: ClassVar[str]
    instance_kind: ClassVar[type[Any]]
    plan_kind: ClassVar[type[Any]]
    maximises: ClassVar[bool] = False
    """Whether more of the objective is better."""

    instance: InstanceT
    document: dict[str, Any] = field(repr=False)

    @classmethod
    def from_document(
        cls, document: Any, *, also: list[Fault] | None = None, source: str | None = None
    ) -> Self:
        """Read a parsed instance document.

        Parameters
        ----------
        document
            Plain JSON values without notes.
        also
            Faults of the text, reported together with those found here.
        source
            Name of the document in messages.

        Raises
        ------
        InvalidInputError
            With every fault of the document.
        """
        faults = [*(also or []), *islice(cls.instance_faults(document), MAX_COLLECTED)]
        return cls(read_document(document, cls.instance_kind, also=faults, source=source), document)

    @staticmethod
    def instance_faults(document: Any, /) -> Iterator[Fault]:
        """Yield the faults of a document that no single member shows."""
        raise NotImplementedError

    @cached_property
    def instance_sha256(self) -> str:
        """Hash of the document, as formats.md defines it."""
        return sha256(self.document)

    def to_document(self) -> dict[str, Any]:
        """Return the instance as plain JSON values, members that were left out left out."""
        return copy.deepcopy(self.document)

    def replace(self, **members: Any) -> Self:
        """Return a copy with top-level members of the document replaced, validated anew.

        Raises
        ------
        InvalidInputError
            When the changed document breaks a rule.
        """
        return type(self).from_document(self.document | members)

    def plan_from_document(self, document: Any, *, source: str | None = None) -> PlanT:
        """Read a plan of this problem."""
        plan: PlanT = self.plan_kind.from_document(document, source=source)
        return plan

    def check(self, plan: PlanT) -> Check:
        """Recompute metrics and objective of any plan and list every violation."""
        raise NotImplementedError

    def objective(self, plan: PlanT) -> float | None:
        """Objective of a plan; None where a term has no value.

        Raises
        ------
        InvalidPlanError
            When the plan's structure is broken.
        """
        raise NotImplementedError

    def metrics(self, plan: PlanT) -> dict[str, Any]:
        """What the plan costs, term by term.

        Raises
        ------
        InvalidPlanError
            When the plan's structure is broken.
        """
        raise NotImplementedError

    @property
    def objective_unit(self) -> str:
        """Unit of the objective; empty for a number without one."""
        return ""

    def violations(self, plan: PlanT) -> tuple[Violation, ...]:
        """Every rule that the plan breaks."""
        return self.check(plan).violations


Problem = StatedProblem[Any, Any]
"""Any problem."""


def refuse(broken: list[Violation]) -> None:
    """Raise what a plan's structure breaks, if anything.

    Raises
    ------
    InvalidPlanError
        When there are violations.
    """
    if broken:
        raise InvalidPlanError([Fault(tuple(v.pointer.split("/")[1:]), v.message) for v in broken])
