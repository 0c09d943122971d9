"""The master programme: classes mix choices made so far, slices mix groups, groups open as far as taken.

    max  sum gain_i y_i - sum cost_sG z_sG - sum fixed_G x_G - penalty * (sum of e)
    sum of a class's y = 1;  sum of a slice's z (and "none") = 1;  z_sG <= x_G
    what class c updates of slice s in y - what it does in z = e_cs     (5)

Its multipliers are prices: those of the last rows what classes pay for slices, those of `z <= x` the tolls.
Free collectives (6) want `z` to hold at least the classes that update, and see to rules (3), (4) by rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from edgeplan.solvers.sparse_update.choices.cluster import Array
from edgeplan.solvers.sparse_update.prices.dual import Part
from edgeplan.solvers.sparse_update.prices.groups import ListedGroups
from edgeplan.solvers.sparse_update.prices.prices import Prices

_LEAST_S = 0.05


@dataclass(frozen=True)
class Solution:
    """What a master programme says.

    Parameters
    ----------
    value
        Its optimum: no bound by itself.
    prices
        Its multipliers.
    updated
        How much classes (rows) update slices (columns).
    taken
        How much of every pool's (row's) groups is open.
    level
        What every slice has left with the groups that it takes.
    """

    value: float
    prices: Prices
    updated: Array
    taken: Array
    level: Array


@dataclass(frozen=True)
class Programme:
    """A master programme.

    Parameters
    ----------
    part
        The part of the search.
    columns
        Class, gain and updated slices of the choices to mix.
    useful
        Which groups (columns) slices (rows) may take; it need not be all that they are allowed.
    penalty
        Of what does not fit.
    """

    part: Part
    columns: tuple[Array, Array, Array]
    useful: Array
    penalty: float

    def solve(self, time_limit_s: float) -> Solution | None:
        """Return the optimum; None where the solver has none in time."""
        rules, least = self._rules
        links, num = self._num_links, self._num_links + len(least)
        openings = self._openings
        solved = linprog(
            -self._objective,
            A_ub=openings,
            b_ub=np.zeros(openings.shape[0]),
            A_eq=self._equalities(rules),
            b_eq=np.concatenate([np.zeros(links), least, np.ones(self._num_classes + self._num_slices)]),
            bounds=(0, None),
            method="highs",
            options={"time_limit": max(_LEAST_S, time_limit_s), "presolve": False},
        )
        if solved.status != 0:
            return None
        multiplier = -solved.eqlin.marginals
        share = np.zeros(self._open.shape)
        share[self._open] = multiplier[:links]
        share += (multiplier[links:num] @ rules).reshape(share.shape)
        share[~self._open] = 0.0
        toll = np.zeros(self.useful.shape)
        slices, groups = (part[self._shared] for part in self._taken)
        toll[slices, groups] = np.maximum(0.0, -solved.ineqlin.marginals)
        prices = Prices(share / self._count[:, None], toll)
        level = multiplier[-self._num_slices :]
        paid = float((self.part.opened @ self._groups.fixed).sum())
        return Solution(-solved.fun - paid, prices, self._updated(solved.x), self._opened(solved.x), level)

    def _updated(self, values: Array) -> Array:
        classes, _, updated = self.columns
        chosen = _matrix(
            [(classes, np.arange(len(classes)), values[: len(classes)])], (self._num_classes, len(classes))
        )
        return np.asarray(chosen @ updated)

    def _opened(self, values: Array) -> Array:
        opened = values[self._blocks[-2] :]
        return np.where(self.part.opened, 1.0, opened.reshape(self.part.opened.shape))

    @cached_property
    def _open(self) -> Array:
        """Whether it is open if classes (rows) update slices (columns)."""
        scope = self.part.scope
        return np.asarray(scope.may_update & scope.may_leave & ~self._groups.idle)

    @property
    def _groups(self) -> ListedGroups:
        assert isinstance(self.part.groups, ListedGroups)
        return self.part.groups

    @property
    def _count(self) -> Array:
        """Devices of every class."""
        return self.part.scope.cluster.count

    @property
    def _num_links(self) -> int:
        return int(np.count_nonzero(self._open))

    @property
    def _num_classes(self) -> int:
        return len(self._open)

    @property
    def _num_slices(self) -> int:
        return int(self._open.shape[1])

    @cached_property
    def _taken(self) -> tuple[Array, Array]:
        """Slices and the groups that they may take."""
        slices, groups = np.nonzero(self.useful & self.part.allowed)
        return slices, groups

    @cached_property
    def _shared(self) -> Array:
        """Which of them open a group that is not paid for yet."""
        (slices, groups), pool = self._taken, self._groups.pool
        pooled = np.flatnonzero(pool[slices] >= 0)
        return np.asarray(pooled[~self.part.opened[pool[slices[pooled]], groups[pooled]]])

    @cached_property
    def _rules(self) -> tuple[sparse.csr_matrix, Array]:
        """Rules among classes (rows) that groups do not see to: factors of updates, and their least sums."""
        groups, cluster = self._groups, self.part.scope.cluster
        index = np.arange(self._open.size).reshape(self._open.shape)
        rows: list[tuple[Array, Array]] = []
        least: list[float] = []
        for s in cluster.covered[groups.must[cluster.covered]] if groups.covers else ():  # (3)
            rows.append((index[:, s], self._count.astype(float)))
            least.append(float(cluster.coverage[cluster.layer[s]]))
        if groups.covers and cluster.instance.nested:  # (4)
            for a, b in np.argwhere(cluster.memory_bytes[:, None] < cluster.memory_bytes):
                for s in np.flatnonzero(self._open[[a, b], : cluster.num_options].any(axis=0)):
                    rows.append((index[[a, b], s], np.array([-1.0, 1.0])))
                    least.append(0.0)
        row = np.repeat(np.arange(len(rows)), [len(column) for column, _ in rows])
        column = np.concatenate([column for column, _ in rows]) if rows else np.zeros(0, int)
        factor = np.concatenate([factor for _, factor in rows]) if rows else np.zeros(0)
        matrix = sparse.csr_matrix((factor, (row, column)), shape=(len(rows), self._open.size))
        return matrix, np.array(least)

    @property
    def _objective(self) -> Array:
        groups, (slices, taken) = self._groups, self._taken
        unfit = np.full((2, self._num_links), -self.penalty)
        if groups.covers:
            unfit[0] = 0.0  # a group may hold classes that do not update
        least = len(self._rules[1])
        return np.concatenate(
            [
                self._count[self.columns[0]] * self.columns[1],
                -groups.cost[slices, taken],
                np.zeros(self._num_slices),
                *unfit,
                np.zeros(least),
                np.full(least, -self.penalty),
                -np.tile(groups.fixed, groups.num_pools),
            ]
        )

    def _equalities(self, rules: sparse.csr_matrix) -> sparse.csr_matrix:
        classes, _, updated = self.columns
        slices, groups = self._taken
        row = np.cumsum(self._open).reshape(self._open.shape) - 1  # of links
        column, own = np.nonzero(updated & self._open[classes])
        member, taken = np.nonzero(self._groups.member[groups].T & self._open[:, slices])
        links, least = np.arange(self._num_links), np.arange(rules.shape[0])
        ruled = len(links)  # rows of rules, of classes and of slices follow those of links
        mixed = ruled + len(least)
        each = mixed + self._num_classes
        idle = np.flatnonzero(~self.part.must)
        taking, none, above, below, lacking, spare, _, _ = self._blocks
        entries = [
            (row[classes[column], own], column, 1.0),
            (row[member, slices[taken]], taking + taken, -1.0),
            (links, above + links, 1.0),
            (links, below + links, -1.0),
            (mixed + classes, np.arange(len(classes)), 1.0),
            (each + slices, taking + np.arange(len(slices)), 1.0),
            (each + idle, none + idle, 1.0),
            (ruled + least, lacking + least, -1.0),
            (ruled + least, spare + least, 1.0),
        ]
        if len(least):
            whole = sparse.coo_matrix(rules @ self._whole)
            entries.append((ruled + whole.row, whole.col, whole.data))
        return _matrix(entries, (each + self._num_slices, self._blocks[-1]))

    @property
    def _whole(self) -> sparse.csr_matrix:
        """Which updates of classes and slices (rows) are in choices (columns)."""
        classes, _, updated = self.columns
        column, own = np.nonzero(updated)
        row = classes[column] * self._num_slices + own
        return _matrix([(row, column, 1.0)], (self._open.size, len(classes)))

    @cached_property
    def _blocks(self) -> tuple[int, ...]:
        """First columns of all kinds but choices, and behind the last one."""
        least, links = len(self._rules[1]), self._num_links
        sizes = [len(self.columns[0]), len(self._taken[0]), self._num_slices, links, links, least, least]
        return tuple(np.cumsum([*sizes, self.part.opened.size]).tolist())

    @property
    def _openings(self) -> sparse.csr_matrix:
        """A group is open at least as far as any slice takes it."""
        (slices, groups), pool = self._taken, self._groups.pool
        taking, *_, opening, width = self._blocks
        shared = self._shared
        opened = opening + pool[slices[shared]] * len(self._groups.fixed) + groups[shared]
        row = np.arange(len(shared))
        return _matrix([(row, taking + shared, 1.0), (row, opened, -1.0)], (len(shared), width))


def _matrix(
    entries: Sequence[tuple[Array, Array, Array | float]], shape: tuple[int, int]
) -> sparse.csr_matrix:
    """Put entries together: rows, columns and factors."""
    row = np.concatenate([row for row, _, _ in entries])
    column = np.concatenate([column for _, column, _ in entries])
    factor = np.concatenate([np.broadcast_to(factor, len(row)) for row, _, factor in entries])
    return sparse.csr_matrix((factor, (row, column)), shape=shape)
