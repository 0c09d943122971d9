"""The linear relaxation over groups, whose multipliers are the prices to begin with.

Classes update slices in part, slices take groups in part, and a group is open as far as any slice takes it.
That keeps the structure of a location problem, so the bound is good already.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from edgeplan.solvers.sparse_update.choices.cluster import Array, Cluster
from edgeplan.solvers.sparse_update.choices.scope import Scope
from edgeplan.solvers.sparse_update.prices.groups import ListedGroups
from edgeplan.solvers.sparse_update.prices.prices import Prices

_LEAST_S = 0.05


@dataclass
class _Rows:
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


@dataclass(frozen=True)
class Relaxation:
    """The linear programme of a cluster.

    Its columns are updates of slices by classes, then open groups, pool by pool, and then the groups that
    slices take.

    Parameters
    ----------
    groups
        The groups.
    scope
        What classes may do.
    """

    groups: ListedGroups
    scope: Scope

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        return self.groups.cluster

    @cached_property
    def taken(self) -> tuple[Array, Array]:
        """Slice and group of the columns of the third kind."""
        slices, rows = np.nonzero(self.groups.allowed)
        return slices, rows

    @property
    def num_updates(self) -> int:
        """Columns of the first kind."""
        return self.cluster.num_classes * self.cluster.num_slices

    @property
    def num_open(self) -> int:
        """Columns of the second kind."""
        return self.groups.num_pools * len(self.groups.fixed)

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.num_updates + self.num_open + len(self.taken[0])

    def solve(self, time_limit_s: float) -> Prices | None:
        """Return the prices; None where there is no solution in time."""
        limits, links = self.limits(), self.links()
        objective, lower, upper = self.columns()
        solved = linprog(
            -objective,
            A_ub=limits.matrix(),
            b_ub=np.concatenate(limits.limit),
            A_eq=links,
            b_eq=np.zeros(self.num_updates),
            bounds=np.transpose([lower, upper]),
            method="highs",
            options={"time_limit": max(_LEAST_S, time_limit_s)},
        )
        if solved.status != 0:
            return None
        limited = -solved.ineqlin.marginals
        num_opening = int(np.count_nonzero(self._shared))
        covering = limited[num_opening : num_opening + self.num_updates]
        return self._prices(covering if self.groups.covers else -solved.eqlin.marginals, limited)

    def _prices(self, linked: Array, limited: Array) -> Prices:
        shape = self.cluster.num_classes, self.cluster.num_slices
        share = linked.reshape(shape) / self.cluster.count[:, None]
        share[:, self.groups.idle] = 0.0
        toll = np.zeros(self.groups.allowed.shape)
        slices, rows = (part[self._shared] for part in self.taken)
        toll[slices, rows] = np.maximum(0.0, limited[: len(slices)])
        return Prices(share, toll)

    @cached_property
    def _shared(self) -> Array:
        """Which columns of the third kind open a group."""
        return np.asarray(self.groups.pool[self.taken[0]] >= 0)

    def columns(self) -> tuple[Array, Array, Array]:
        """Worth, least and most of every column."""
        cluster, groups = self.cluster, self.groups
        gain = np.concatenate([_steps(cluster.gain, cluster.first), self._bias_steps()], axis=1)
        worth = (cluster.count[:, None] * gain).ravel()
        opened = np.tile(groups.fixed, groups.num_pools)
        slices, rows = self.taken
        objective = np.concatenate([worth, -opened, -groups.cost[slices, rows]])
        lower, upper = np.zeros(self.width), np.ones(self.width)
        lower[: self.num_updates] = (~self.scope.may_leave & self.scope.may_update).ravel()
        upper[: self.num_updates] = self.scope.may_update.ravel()
        return objective, lower, upper

    @property
    def constant(self) -> float:
        """What depth 0 brings to all, which no column says."""
        return float(self.cluster.count @ self._filled[:, 0])

    def _bias_steps(self) -> Array:
        """What reaching one layer more brings."""
        return np.asarray(np.diff(self._filled, axis=1)[:, ::-1])

    @cached_property
    def _filled(self) -> Array:
        """What depths bring; one that is not allowed as much as the next that is."""
        gain = self.cluster.depth_gain.copy()
        for k in range(gain.shape[1] - 1, -1, -1):
            behind = gain[:, k + 1] if k + 1 < gain.shape[1] else np.zeros(len(gain))
            gain[:, k] = np.where(np.isfinite(gain[:, k]), gain[:, k], behind)
        return gain

    def links(self) -> Any:
        """A class updates a slice as far as the slice takes groups with it; idle ones take none.

        Where groups cover, that is a limit instead.
        """  # (5)
        return 0 * self._linking if self.groups.covers else self._linking

    @cached_property
    def _linking(self) -> Any:
        """What classes update less than slices take groups with them."""
        slices, rows = self.taken
        column = self.num_updates + self.num_open + np.arange(len(slices))
        classes, entry = np.nonzero(self.groups.member[rows].T)
        updates = np.arange(self.num_updates)[~np.tile(self.groups.idle, self.cluster.num_classes)]
        row = np.concatenate([updates, classes * self.cluster.num_slices + slices[entry]])
        factor = np.concatenate([np.ones(len(updates)), -np.ones(len(entry))])
        place = row, np.concatenate([updates, column[entry]])
        return sparse.csr_matrix((factor, place), shape=(self.num_updates, self.width))

    def limits(self) -> _Rows:
        """All inequalities; first those that open groups."""
        rows = _Rows(self.width)
        self._open_where_taken(rows)
        if self.groups.covers:
            self._covered_by_groups(rows)
            self._rules_among_classes(rows)
        self._one_group(rows)
        for c in range(self.cluster.num_classes):
            self._chains(rows, c)
            self._budgets(rows, c)
        if not (self.scope.may_leave | self.scope.may_update).all():
            rows.add_sum(np.zeros(1, int), np.zeros(1), -1.0)  # nothing suits
        return rows

    def _open_where_taken(self, rows: _Rows) -> None:
        slices, groups = (part[self._shared] for part in self.taken)
        column = self.num_updates + self.num_open + np.flatnonzero(self._shared)
        opened = self.num_updates + self.groups.pool[slices] * len(self.groups.fixed) + groups
        rows.add([column, opened], [1.0, -1.0], 0.0)

    def _covered_by_groups(self, rows: _Rows) -> None:
        """A class updates a slice at most as far as the slice takes groups that hold it."""  # (6)
        linking = self._linking
        for begin, end in pairwise(linking.indptr):
            rows.add_sum(linking.indices[begin:end], linking.data[begin:end], 0.0)

    def _rules_among_classes(self, rows: _Rows) -> None:
        """Coverage and nesting, which groups that cover do not see to."""  # (3), (4)
        cluster = self.cluster
        own = np.arange(cluster.num_classes) * cluster.num_slices
        for s in self.groups.covered:
            rows.add_sum(own + s, -cluster.count, -float(cluster.coverage[cluster.layer[s]]))
        if cluster.instance.nested:
            less, more = np.nonzero(cluster.memory_bytes[:, None] < cluster.memory_bytes[None, :])
            for s in range(cluster.num_options):
                rows.add([own[less] + s, own[more] + s], [1.0, -1.0], 0.0)

    def _one_group(self, rows: _Rows) -> None:
        """A slice has one group at most, and one where it must be covered."""  # (3)
        column = self.num_updates + self.num_open + np.arange(len(self.taken[0]))
        for s in range(self.cluster.num_slices):
            own = column[self.taken[0] == s]
            rows.add_sum(own, np.ones(len(own)), 1.0)
            if self.groups.must[s]:
                rows.add_sum(own, -np.ones(len(own)), -1.0)

    def _chains(self, rows: _Rows, c: int) -> None:
        """A larger slice goes with the smaller, the smallest with the bias, a bias with those behind it."""
        cluster, own = self.cluster, c * self.cluster.num_slices
        each, biases = np.arange(cluster.num_options), cluster.num_options + np.arange(cluster.num_layers)
        is_first = np.isin(each, cluster.first[:-1])
        before = np.where(is_first, cluster.num_options + cluster.layer[: cluster.num_options], each - 1)
        rows.add([own + each, own + before], [1.0, -1.0], 0.0)
        rows.add([own + biases[:-1], own + biases[1:]], [1.0, -1.0], 0.0)
        skipped = np.flatnonzero(~self.scope.depths[c, 1:-1]) + 1
        here = own + cluster.num_slices - skipped
        rows.add([here, here - 1], [1.0, -1.0], 0.0)

    def _budgets(self, rows: _Rows, c: int) -> None:
        """Memory and step time."""  # (1), (2)
        cluster = self.cluster
        column = c * cluster.num_slices + np.arange(cluster.num_slices)
        for used, reach, budget in (
            (cluster.option_bytes, cluster.reach_bytes, float(cluster.memory_bytes[c])),
            (cluster.option_flops, cluster.reach_flops, float(cluster.flops[c])),
        ):
            if np.isfinite(budget):
                weights = _steps(used[None].astype(float), cluster.first)[0]
                need = np.concatenate([weights, np.diff(reach)[::-1]])
                rows.add_sum(column, need, budget - reach[0])


def _steps(values: Array, first: Array) -> Array:
    """Differences of options (columns) to the smaller one of their layer; the first ones as they are."""
    steps = np.diff(values, axis=1, prepend=0.0)
    begins = first[:-1][np.diff(first) > 0]
    steps[:, begins] = values[:, begins]
    return np.asarray(steps)
