"""What all problems share: an instance, and the judgement of plans."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, Self

from edgeplan.models.faults import Fault
from edgeplan.models.violation import Check, Violation


class Plan(Protocol):
    """An answer in its problem's words."""

    def to_document(self) -> dict[str, Any]:
        """Return the plan as plain JSON values."""


class Instance(Protocol):
    """An instance as read."""

    @property
    def name(self) -> str:
        """Title of the instance."""


class Problem(Protocol):
    """An instance, validated once, that judges plans of its own kind and knows no solver."""

    name: ClassVar[str]
    instance_kind: ClassVar[type[Any]]
    plan_kind: ClassVar[type[Any]]

    @property
    def instance(self) -> Instance:
        """The instance as read."""

    @property
    def objective_unit(self) -> str:
        """Unit of the objective; empty for a number without one."""

    @property
    def document(self) -> dict[str, Any]:
        """The plain JSON values that it was read from; never changed."""

    @property
    def instance_sha256(self) -> str:
        """Hash of the document, as formats.md defines it."""

    @classmethod
    def from_document(
        cls, document: Any, *, also: list[Fault] | None = None, source: str | None = None
    ) -> Self:
        """Read a parsed instance document, or tell all its faults."""

    def to_document(self) -> dict[str, Any]:
        """Return the instance as plain JSON values, members that were left out left out."""

    def replace(self, **members: Any) -> Self:
        """Return a copy with top-level members of the document replaced, validated anew."""

    def plan_from_document(self, document: Any, *, source: str | None = None) -> Plan:
        """Read a plan of this problem."""

    def check(self, plan: Any) -> Check:
        """Recompute metrics and objective of any plan and list every violation."""

    def objective(self, plan: Any) -> float | None:
        """Objective of a plan; None where a term has no value."""

    def metrics(self, plan: Any) -> dict[str, Any]:
        """What the plan costs, term by term."""

    def violations(self, plan: Any) -> tuple[Violation, ...]:
        """Every rule that the plan breaks."""
