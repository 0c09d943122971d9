"""What aggregation costs by the rules of an instance, and how it goes into a plan."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from edgeplan.models.sparse_update import SparsePlan
from edgeplan.solvers.sparse_update.aggregation.aggregation import Aggregation
from edgeplan.solvers.sparse_update.aggregation.canonical import Canonical
from edgeplan.solvers.sparse_update.aggregation.covers import Covers
from edgeplan.solvers.sparse_update.choices.cluster import Array, Choices, Cluster
from edgeplan.solvers.sparse_update.prices.groups import all_sets


class Collectives(Protocol):
    """Canonical or free collectives."""

    def price(self, updated: Array) -> float:
        """What they cost where classes (rows) update slices (columns)."""

    def added(self, c: int, updated: Array, barred: Array | None = None) -> Array:
        """What it adds for every slice that a class updates it too, without a group that is barred."""

    def groups_of(self, c: int, updated: Array) -> Array:
        """Groups (rows) of a class that it might give up."""

    def plan(self, choices: Choices) -> SparsePlan:
        """Write choices as a plan."""


def collectives_of(cluster: Cluster) -> Collectives:
    """Return the collectives that an instance has; free ones among all sets where classes are few."""
    aggregation = Aggregation(cluster)
    if cluster.instance.collectives == "canonical":
        return Canonical(aggregation)
    if cluster.has_few_sets:
        return Covers(aggregation, all_sets(cluster.num_classes)[1:])
    everyone = np.ones((1, cluster.num_classes), bool)
    return Covers(aggregation, np.concatenate([everyone, np.eye(cluster.num_classes, dtype=bool)]))
