"""What classes may update, as rows of a linear or integer programme: a column for every class and slice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from edgeplan.solvers.sparse_update.choices.cluster import Array, Cluster
from edgeplan.solvers.sparse_update.choices.scope import Scope


@dataclass
class Rows:
    """Sparse rows as they come, each at most a limit."""

    width: int
    row: list[Array] = field(default_factory=list)
    column: list[Array] = field(default_factory=list)
    factor: list[Array] = field(default_factory=list)
    limit: list[Array] = field(default_factory=list)
    num: int = 0

    def add(self, columns: list[Array], factors: list[Array | float], limit: Array | float) -> None:
        """Add as many rows as each array of columns has entries."""
        for column, factor in zip(columns, factors, strict=True):
            self.row.append(self.num + np.arange(len(column)))
            self.column.append(column)
            self.factor.append(np.broadcast_to(np.asarray(factor, float), len(column)))
        self.limit.append(np.broadcast_to(np.asarray(limit, float), len(columns[0])))
        self.num += len(columns[0])

    def add_sum(self, column: Array, factor: Array, limit: float) -> None:
        """Add one row."""
        self.row.append(np.full(len(column), self.num))
        self.column.append(column)
        self.factor.append(np.asarray(factor, float))
        self.limit.append(np.array([limit]))
        self.num += 1

    def matrix(self) -> Any:
        """The rows."""
        entries = np.concatenate(self.factor), (np.concatenate(self.row), np.concatenate(self.column))
        return sparse.csr_matrix(entries, shape=(self.num, self.width))


def limits_of_updates(scope: Scope) -> tuple[Array, Array]:
    """Least and most of every update."""
    return (~scope.may_leave & scope.may_update).ravel(), scope.may_update.ravel()


def rules_of_classes(rows: Rows, scope: Scope) -> None:
    """What a class must keep by itself."""
    for c in range(scope.cluster.num_classes):
        _chains(rows, scope, c)
        _budgets(rows, scope.cluster, c)
    if not (scope.may_leave | scope.may_update).all():
        rows.add_sum(np.zeros(1, int), np.zeros(1), -1.0)  # nothing suits


def rules_among_classes(rows: Rows, cluster: Cluster) -> None:
    """Coverage and nesting."""  # (3), (4)
    own = np.arange(cluster.num_classes) * cluster.num_slices
    for s in cluster.covered:
        rows.add_sum(own + s, -cluster.count, -float(cluster.coverage[cluster.layer[s]]))
    if cluster.instance.nested:
        _, level = np.unique(cluster.memory_bytes, return_inverse=True)
        less, more = np.nonzero(level[:, None] + 1 == level[None, :])  # by these, all below are nested too
        for s in range(cluster.num_options):
            rows.add([own[less] + s, own[more] + s], [1.0, -1.0], 0.0)


def _chains(rows: Rows, scope: Scope, c: int) -> None:
    """A larger slice goes with the smaller, the smallest with the bias, a bias with those behind it."""
    cluster = scope.cluster
    own = c * cluster.num_slices
    each, biases = np.arange(cluster.num_options), cluster.num_options + np.arange(cluster.num_layers)
    is_first = np.isin(each, cluster.first[:-1])
    before = np.where(is_first, cluster.num_options + cluster.layer[: cluster.num_options], each - 1)
    rows.add([own + each, own + before], [1.0, -1.0], 0.0)
    rows.add([own + biases[:-1], own + biases[1:]], [1.0, -1.0], 0.0)
    skipped = np.flatnonzero(~scope.depths[c, 1:-1]) + 1
    here = own + cluster.num_slices - skipped
    rows.add([here, here - 1], [1.0, -1.0], 0.0)


def _budgets(rows: Rows, cluster: Cluster, c: int) -> None:
    """Memory and step time."""  # (1), (2)
    column = c * cluster.num_slices + np.arange(cluster.num_slices)
    for used, reach, budget in (
        (cluster.option_bytes, cluster.reach_bytes, float(cluster.memory_bytes[c])),
        (cluster.option_flops, cluster.reach_flops, float(cluster.flops[c])),
    ):
        if np.isfinite(budget):
            weights = steps(used[None].astype(float), cluster.first)[0]
            need = np.concatenate([weights, np.diff(reach)[::-1]])
            rows.add_sum(column, need, budget - reach[0])


def steps(values: Array, first: Array) -> Array:
    """Differences of options (columns) to the smaller one of their layer; the first ones as they are."""
    steps = np.diff(values, axis=1, prepend=0.0)
    begins = first[:-1][np.diff(first) > 0]
    steps[:, begins] = values[:, begins]
    return np.asarray(steps)
