"""The answer: stages in visiting order, each a node and its own layers."""

from __future__ import annotations

from typing import Annotated, Any

from edgeplan.models.fields import ANY_ARRAY, Document, Name
from edgeplan.models.reading import read_document


class Stage(Document):
    """One visit: the node and the layers that it owns."""

    node: Name
    """Id of the node."""
    layers: Annotated[tuple[Name, ...], ANY_ARRAY]
    """Own layers, contiguous among the layers that are not shared."""


class Plan(Document):
    """Stages in visiting order.

    Examples
    --------
    >>> plan = Plan.from_document({"stages": [{"node": "a", "layers": ["conv", "head"]}]})
    >>> Plan.from_document(plan.to_document()) == plan
    True
    """

    stages: Annotated[tuple[Stage, ...], ANY_ARRAY]
    """The stages, first visited first."""

    @classmethod
    def from_document(cls, document: Any, *, source: str | None = None) -> Plan:
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
