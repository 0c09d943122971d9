"""The groups that slices may have: every set of classes, in a cluster of few."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from edgeplan.solvers.sparse_update.aggregation import Aggregation
from edgeplan.solvers.sparse_update.cluster import Array, Cluster


@dataclass(frozen=True)
class Groups:
    """Groups with their prices; one with several prices stands in several rows.

    Parameters
    ----------
    cluster
        The cluster.
    member
        Whether classes (columns) are in groups (rows).
    fixed, per_byte
        Price of every group.
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
    member: Array
    fixed: Array
    per_byte: Array
    pool: Array
    num_pools: int
    alone: Array
    closed: Array

    @classmethod
    def all_of(cls, cluster: Cluster, aggregation: Aggregation) -> Groups:
        """Return all sets of classes but the empty one."""
        codes = np.arange(1, 2**cluster.num_classes)[:, None]
        return cls.of(cluster, aggregation, (codes >> np.arange(cluster.num_classes)) % 2 == 1)

    @classmethod
    def of(cls, cluster: Cluster, aggregation: Aggregation, member: Array) -> Groups:
        """Look up what sets of classes cost."""
        rows = [(group, price) for group in member for price in aggregation.prices(group)]
        pool = aggregation.pool
        shared = np.array([p >= 0 and np.count_nonzero(pool == p) > 1 for p in pool])
        names, renamed = np.unique(pool[shared], return_inverse=True)
        own = np.full(len(pool), -1)
        own[shared] = renamed
        return cls(
            cluster,
            np.array([group for group, _ in rows], bool),
            np.array([price.fixed for _, price in rows]),
            np.array([price.per_byte for _, price in rows]),
            own,
            len(names),
            ~shared & (pool >= 0),
            np.zeros((len(names), len(rows)), bool),
        )

    def only(self, kept: Array) -> Groups:
        """Return those groups alone."""
        return replace(
            self,
            member=self.member[kept],
            fixed=self.fixed[kept],
            per_byte=self.per_byte[kept],
            closed=self.closed[:, kept],
        )

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
    def size(self) -> Array:
        """Devices of every group."""
        return np.asarray(self.member @ self.cluster.count)

    @cached_property
    def cost(self) -> Array:
        """What every slice (row) costs with every group; fixed prices that are shared are left out."""
        return np.outer(self.cluster.slice_bytes, self.per_byte) + np.outer(self.alone, self.fixed)

    @cached_property
    def must(self) -> Array:
        """Whether every slice has to be updated at all."""  # (3)
        must = np.zeros(self.cluster.num_slices, bool)
        must[self._covered] = self.cluster.coverage[self.cluster.layer[self._covered]] > 0
        return must

    @cached_property
    def _covered(self) -> Array:
        """The first slice of every layer that has options: whoever updates a layer updates it."""
        first = self.cluster.first
        return first[:-1][np.diff(first) > 0]

    @cached_property
    def allowed(self) -> Array:
        """Whether every slice may have every group."""
        allowed = np.ones((self.cluster.num_slices, len(self.member)), bool)
        covered = self._covered
        allowed[covered] &= self.size >= self.cluster.coverage[self.cluster.layer[covered], None]  # (3)
        if self.cluster.instance.nested:
            allowed[: self.cluster.num_options] &= self._nested
        pooled = self.pool >= 0
        allowed[pooled] &= ~self.closed[self.pool[pooled]]
        allowed[self.idle] = False
        return allowed

    @cached_property
    def _nested(self) -> Array:
        """Whether every group has all devices with more memory than one of its own."""  # (4)
        memory = self.cluster.memory_bytes
        less = memory[:, None] < memory[None, :]
        lacking = np.einsum(
            "ra,ab,rb->r", self.member.astype(int), less.astype(int), (~self.member).astype(int)
        )
        return np.asarray(lacking == 0)
