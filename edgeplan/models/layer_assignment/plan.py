"""The answer: stages in visiting order, each a node and its own layers."""

from __future__ import annotations

from typing import Annotated

from edgeplan.models.fields import ANY_ARRAY, Document, Name
from edgeplan.models.problem import PlanDocument


class Stage(Document):
    """One visit: the node and the layers that it owns."""

    node: Name
    """Id of the node."""
    layers: Annotated[tuple[Name, ...], ANY_ARRAY]
    """Own layers, contiguous among the layers that are not shared."""


class Plan(PlanDocument):
    """Stages in visiting order.

    Examples
    --------
    >>> plan = Plan.from_document({"stages": [{"node": "a", "layers": ["conv", "head"]}]})
    >>> Plan.from_document(plan.to_document()) == plan
    True
    """

    stages: Annotated[tuple[Stage, ...], ANY_ARRAY]
    """The stages, first visited first."""
