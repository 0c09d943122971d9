"""The groups that slices may have: every set of classes, in a cluster of few.

With canonical collectives a slice's group is the classes that update it. With free ones it is the members
of its all-reduce, or the one device that broadcasts it, and any of them may update it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from edgeplan.solvers.sparse_update.aggregation.aggregation import Aggregation
from edgeplan.solvers.sparse_update.choices.cluster import Array, Cluster


class Rewards(NamedTuple):
    """What groups (columns) bring slices (rows), and which classes update then.

    Parameters
    ----------
    paid
        What classes pay at most.
    updating
        Of groups that cover: codes of the classes; of kinds of groups: their sizes.
    order
        Of kinds of groups: classes by what they pay, the most first.
    """

    paid: Array
    updating: Array | None = None
    order: Array | None = None


@dataclass(frozen=True)
class Groups:
    """What lists of groups have in common.

    Parameters
    ----------
    cluster
        The cluster.
    fixed
        Fixed price of every group.
    pool
        Which slices pay the fixed price of a group together, from 0; -1: no other slice could share it.
    num_pools
        Number of pools.
    alone
        Which slices pay a fixed price that no other could share.
    closed
        Groups (columns) that the slices of a pool (rows) may not have.
    """

    cluster: Cluster
    fixed: Array
    pool: Array
    num_pools: int
    alone: Array
    closed: Array

    @property
    def cost(self) -> Array:
        """What every slice (row) costs with every group; fixed prices that are shared are left out."""
        raise NotImplementedError

    @property
    def allowed(self) -> Array:
        """Whether every slice may have every group."""
        raise NotImplementedError

    def suits(self, may_update: Array, must_update: Array) -> Array:
        """Whether slices (rows) may have groups (columns), by what classes (rows) may and must update.

        Parameters
        ----------
        may_update, must_update
            Of classes (rows) and slices (columns).
        """
        del may_update, must_update
        return np.ones((self.cluster.num_slices, len(self.fixed)), bool)

    def barred(self, may_update: Array, must_update: Array) -> Array | None:
        """What keeps slices (rows) from being updated by sets of classes, by their codes: 0 or infinite.

        None where a group says who updates.
        """
        del may_update, must_update
        return None

    def rewards(self, shares: Array, barred: Array | None, /) -> Rewards:
        """What classes pay at most for slices with every group.

        Parameters
        ----------
        shares
            What every class (column) pays for updating every slice (row).
        barred
            Which sets of classes may not update them.
        """
        raise NotImplementedError

    def wanted(self, rewards: Rewards, slices: Array, groups: Array) -> Array:
        """Whether classes (rows), or how much of them, are to update slices of these groups (columns)."""
        raise NotImplementedError

    def only(self, kept: Array) -> Self:
        """Return those groups alone."""
        return replace(self, fixed=self.fixed[kept], closed=self.closed[:, kept])

    @property
    def covers(self) -> bool:
        """Whether groups cover the classes that update, and need not be them."""
        return self.cluster.instance.collectives == "free"

    @cached_property
    def needless(self) -> Array:
        """Groups that no slice may have."""
        unpooled = bool(((self.pool < 0) & ~self.idle).any())
        return np.asarray(self.closed.all(axis=0) & (not unpooled))

    @cached_property
    def idle(self) -> Array:
        """Slices whose group is of no interest: they have no parameters, and no rule is about them."""
        idle = self.cluster.slice_bytes == 0
        idle &= ~self.must
        if self.cluster.instance.nested:
            idle[: self.cluster.num_options] = False
        return np.asarray(idle)

    @cached_property
    def must(self) -> Array:
        """Whether every slice has to be updated at all."""  # (3)
        must = np.zeros(self.cluster.num_slices, bool)
        covered = self.cluster.covered
        must[covered] = self.cluster.coverage[self.cluster.layer[covered]] > 0
        return must

    @cached_property
    def left(self) -> Array:
        """Whether groups (columns) are open to slices (rows), and of interest."""
        left = np.ones((self.cluster.num_slices, len(self.fixed)), bool)
        pooled = self.pool >= 0
        left[pooled] &= ~self.closed[self.pool[pooled]]
        left[self.idle] = False
        return left


def pools(aggregation: Aggregation, num_groups: int) -> tuple[Array, int, Array, Array]:
    """Return pools of slices, their number, the slices alone, and no group closed."""
    pool = aggregation.pool
    shared = (pool >= 0) & (np.bincount(pool + 1)[pool + 1] > 1)
    names, renamed = np.unique(pool[shared], return_inverse=True)
    own = np.full(len(pool), -1)
    own[shared] = renamed
    return own, len(names), ~shared & (pool >= 0), np.zeros((len(names), num_groups), bool)


@dataclass(frozen=True)
class ListedGroups(Groups):
    """Groups one by one; one with several prices stands in several rows.

    Parameters
    ----------
    member
        Whether classes (columns) are in groups (rows).
    per_byte
        Price of a byte of every group.
    """

    member: Array
    per_byte: Array

    @classmethod
    def all_of(cls, cluster: Cluster, aggregation: Aggregation) -> Self:
        """Return all sets of classes but the empty one."""
        priced = aggregation.prices if aggregation.is_exact else aggregation.least_prices
        sets = all_sets(cluster.num_classes)[1:]
        rows = [(group, price) for group in sets for price in priced(group)]
        return cls(
            cluster,
            np.array([price.fixed for _, price in rows]),
            *pools(aggregation, len(rows)),
            np.array([group for group, _ in rows], bool),
            np.array([price.per_byte for _, price in rows]),
        )

    def only(self, kept: Array) -> Self:
        """Return those groups alone."""
        return replace(super().only(kept), member=self.member[kept], per_byte=self.per_byte[kept])

    @cached_property
    def cost(self) -> Array:
        """What every slice (row) costs with every group; fixed prices that are shared are left out."""
        return np.outer(self.cluster.slice_bytes, self.per_byte) + np.outer(self.alone, self.fixed)

    @cached_property
    def allowed(self) -> Array:
        """Whether every slice may have every group."""
        return self.left if self.covers else self.left & self._keeps_rules(self.member)

    def suits(self, may_update: Array, must_update: Array) -> Array:
        """Whether slices (rows) may have groups (columns), by what classes (rows) may and must update."""
        if self.covers:  # which is left to what is barred
            return super().suits(may_update, must_update)
        return _between(self.member, may_update, must_update)

    def barred(self, may_update: Array, must_update: Array) -> Array | None:
        """What keeps slices (rows) from being updated by sets of classes, by their codes: 0 or infinite."""
        if not self.covers:
            return None
        return self._updating + np.where(
            _between(all_sets(self.cluster.num_classes), may_update, must_update), 0.0, np.inf
        )

    def _keeps_rules(self, member: Array) -> Array:
        """Whether every slice (row) may be updated by sets of classes (columns), given as rows."""
        kept = np.ones((self.cluster.num_slices, len(member)), bool)
        covered, size = self.cluster.covered, member @ self.cluster.count
        kept[covered] &= size >= self.cluster.coverage[self.cluster.layer[covered], None]  # (3)
        if self.cluster.instance.nested:  # (4)
            memory = self.cluster.memory_bytes
            less = (memory[:, None] < memory[None, :]).astype(int)
            lacking = np.einsum("ra,ab,rb->r", member.astype(int), less, (~member).astype(int))
            kept[: self.cluster.num_options] &= lacking == 0
        return kept

    @cached_property
    def _updating(self) -> Array:
        """What keeps slices (rows) from being updated by sets of classes, by their codes: 0 or infinite."""
        member = all_sets(self.cluster.num_classes)
        kept = self._keeps_rules(member) & member.any(axis=1)
        return np.where(kept, 0.0, np.inf)

    @cached_property
    def code(self) -> Array:
        """Codes of the groups."""
        return np.asarray(self.member @ (1 << np.arange(self.cluster.num_classes)))

    def rewards(self, shares: Array, barred: Array | None) -> Rewards:
        """What classes pay at most for slices with every group."""
        if barred is None:
            return Rewards(shares @ self.member.T.astype(float))
        num_classes = self.cluster.num_classes
        paid = shares @ all_sets(num_classes).T.astype(float) - barred
        updating = np.broadcast_to(np.arange(paid.shape[1]), paid.shape).copy()
        for c in range(num_classes):
            with_c = np.flatnonzero(np.arange(paid.shape[1]) >> c & 1)
            better = paid[:, with_c - (1 << c)] > paid[:, with_c]
            paid[:, with_c] = np.where(better, paid[:, with_c - (1 << c)], paid[:, with_c])
            updating[:, with_c] = np.where(better, updating[:, with_c - (1 << c)], updating[:, with_c])
        return Rewards(paid[:, self.code], updating[:, self.code])

    def wanted(self, rewards: Rewards, slices: Array, groups: Array) -> Array:
        """Whether classes (rows) are to update slices that have these groups (columns)."""
        if rewards.updating is None:
            return np.asarray(self.member[groups].T)
        codes = rewards.updating[slices, groups]
        return np.asarray((codes >> np.arange(self.cluster.num_classes)[:, None]) & 1 == 1)


def _between(member: Array, may_update: Array, must_update: Array) -> Array:
    """Whether slices (rows) may be updated by sets of classes: by all that must, and none that may not."""
    inside = member.T.astype(int)
    lacking = must_update.T.astype(int) @ (1 - inside)
    return np.asarray(lacking + (~may_update).T.astype(int) @ inside == 0)


def all_sets(num_classes: int) -> Array:
    """All sets of classes as rows, by their codes."""
    codes = np.arange(2**num_classes)[:, None]
    return np.asarray((codes >> np.arange(num_classes)) & 1 == 1)
