"""Small instances of sparse_update that every solver is tried on, and their optima by enumeration."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

from independent.sparse_instances import brute_force, random_document

from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.models.sparse_update.examples import two_layers_two_boards

Document = dict[str, Any]

# Seeds are chosen by what their instances have.
_SEEDS = {
    "nesting and a pin": 1,
    "a general network and coverage by two": 3,
    "slices that travel alone by a tree": 5,
    "step limits and coverage by all": 61,
    "coverage and nesting of slices alone": 68,
    "step limits and nesting": 54,
    "no plan by coverage, nesting and memory": 12,
    "no plan by a step limit and a pin": 45,
    "no memory for any depth": 16,
    "no depth that reaches what is covered": 58,
}


@cache
def _document(name: str) -> Document:
    if name == "two boards":
        return two_layers_two_boards().document
    return random_document(_SEEDS[name], 3, 3, network="network" in name)


NAMES = ["two boards", *_SEEDS]


def document_of(name: str) -> Document:
    """Return the document of an instance."""
    return copy.deepcopy(_document(name))


def problem_of(name: str) -> SparseUpdate:
    """Read an instance anew."""
    return SparseUpdate.from_document(document_of(name))


@cache
def optimum_of(name: str) -> tuple[float, Document] | None:
    """Best objective and plan by enumeration; None where there is no plan."""
    return brute_force(_document(name))
