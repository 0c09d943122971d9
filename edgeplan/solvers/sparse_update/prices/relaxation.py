"""The linear relaxation over groups, whose multipliers are the prices to begin with.

Classes update slices in part, slices take groups in part, and a group is open as far as any slice takes it.
That keeps the structure of a location problem, so the bound is good already.
"""

from __future__ import annotations

from dataclasses import dataclass
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
from edgeplan.solvers.sparse_update.prices.update_rows import (
    Rows,
    limits_of_updates,
    rules_among_classes,
    rules_of_classes,
    steps,
)

_LEAST_S = 0.05


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
        gain = np.concatenate([steps(cluster.gain, cluster.first), self._biassteps()], axis=1)
        worth = (cluster.count[:, None] * gain).ravel()
        opened = np.tile(groups.fixed, groups.num_pools)
        slices, rows = self.taken
        objective = np.concatenate([worth, -opened, -groups.cost[slices, rows]])
        lower, upper = np.zeros(self.width), np.ones(self.width)
        lower[: self.num_updates], upper[: self.num_updates] = limits_of_updates(self.scope)
        return objective, lower, upper

    @property
    def constant(self) -> float:
        """What depth 0 brings to all, which no column says."""
        return float(self.cluster.count @ self._filled[:, 0])

    def _biassteps(self) -> Array:
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

    def limits(self) -> Rows:
        """All inequalities; first those that open groups."""
        rows = Rows(self.width)
        self._open_where_taken(rows)
        if self.groups.covers:
            self._covered_by_groups(rows)
            rules_among_classes(rows, self.cluster)
        self._one_group(rows)
        rules_of_classes(rows, self.scope)
        return rows

    def _open_where_taken(self, rows: Rows) -> None:
        slices, groups = (part[self._shared] for part in self.taken)
        column = self.num_updates + self.num_open + np.flatnonzero(self._shared)
        opened = self.num_updates + self.groups.pool[slices] * len(self.groups.fixed) + groups
        rows.add([column, opened], [1.0, -1.0], 0.0)

    def _covered_by_groups(self, rows: Rows) -> None:
        """A class updates a slice at most as far as the slice takes groups that hold it."""  # (6)
        linking = self._linking
        for begin, end in pairwise(linking.indptr):
            rows.add_sum(linking.indices[begin:end], linking.data[begin:end], 0.0)

    def _one_group(self, rows: Rows) -> None:
        """A slice has one group at most, and one where it must be covered."""  # (3)
        column = self.num_updates + self.num_open + np.arange(len(self.taken[0]))
        for s in range(self.cluster.num_slices):
            own = column[self.taken[0] == s]
            rows.add_sum(own, np.ones(len(own)), 1.0)
            if self.groups.must[s]:
                rows.add_sum(own, -np.ones(len(own)), -1.0)
