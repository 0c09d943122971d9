"""Small instances that every solver of their problem is tried on, and what is known of them otherwise."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from golden_instances import GOLDEN
from independent import evaluator, sparse_evaluator
from independent.sparse_instances import brute_force
from small_updates import UPDATES

from edgeplan.models.problem import Problem
from edgeplan.models.problems import PROBLEMS

Document = dict[str, Any]
Best = tuple[float, Document] | None
"""Objective and plan, or that there is no plan."""


def _best_assignment(document: Document) -> Best:
    best = evaluator.brute(document)
    return None if best is None else (float(best.objective), best.plan)


class _Otherwise(NamedTuple):
    """Documents of a problem by name, and its independent judges: of all plans, and of one."""

    documents: dict[str, Document]
    best: Callable[[Document], Best]
    evaluate: Callable[[Document, Document], Any]


_OTHERWISE = {
    "layer_assignment": _Otherwise(
        {name: golden.document for name, golden in GOLDEN.items()}, _best_assignment, evaluator.evaluate
    ),
    "sparse_update": _Otherwise(UPDATES, brute_force, sparse_evaluator.evaluate),
}


@dataclass(frozen=True)
class SmallInstance:
    """An instance by its name."""

    problem: str
    name: str

    def __str__(self) -> str:
        return f"{self.problem}, {self.name}"

    @property
    def document(self) -> Document:
        """The instance, as a new document."""
        return copy.deepcopy(_OTHERWISE[self.problem].documents[self.name])

    def read(self) -> Problem:
        """Read the instance anew."""
        problem: Problem = PROBLEMS[self.problem].from_document(self.document)
        return problem

    @property
    def best(self) -> Best:
        """The best objective and a plan that has it, by enumeration; None where there is no plan."""
        return _best(self)

    @property
    def optimum(self) -> float | None:
        """The best objective; None where there is no plan."""
        return None if self.best is None else self.best[0]

    def judged(self, plan: Document) -> Any:
        """What the independent evaluator says of a plan: ``feasible`` and ``objective``."""
        return _OTHERWISE[self.problem].evaluate(self.document, plan)


@cache
def _best(instance: SmallInstance) -> Best:
    return _OTHERWISE[instance.problem].best(instance.document)


INSTANCES = [
    SmallInstance(problem, name) for problem, known in _OTHERWISE.items() for name in known.documents
]
