"""Small instances of sparse_update that every solver is tried on."""

from __future__ import annotations

from typing import Any

from independent.sparse_instances import random_document

from edgeplan.models.sparse_update.examples import two_layers_two_boards

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

UPDATES: dict[str, dict[str, Any]] = {
    "two boards": two_layers_two_boards().document,
    **{name: random_document(seed, 3, 3, network="network" in name) for name, seed in _SEEDS.items()},
}
