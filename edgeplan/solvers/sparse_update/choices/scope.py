"""What classes may still do: the limits of the instance, or less in a part of the search."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.solvers.sparse_update.choices.cluster import Array, Cluster


@dataclass(frozen=True)
class Scope:
    """Options and depths that are left to every class.

    Parameters
    ----------
    cluster
        The cluster.
    allowed
        Which options classes may choose.
    may_skip
        Which layers classes may leave alone although they reach them.
    depths
        Which depths classes may have.
    """

    cluster: Cluster
    allowed: Array
    may_skip: Array
    depths: Array

    @classmethod
    def of(cls, cluster: Cluster) -> Scope:
        """Return all that the instance leaves."""
        return cls(cluster, cluster.allowed, cluster.may_skip, np.isfinite(cluster.depth_gain))

    @cached_property
    def may_update(self) -> Array:
        """Whether classes (rows) may update slices (columns)."""
        cluster = self.cluster
        weights = np.zeros((cluster.num_classes, cluster.num_options), bool)
        for before, after in zip(cluster.first[:-1], cluster.first[1:], strict=True):
            own = self.allowed[:, before:after]
            weights[:, before:after] = np.logical_or.accumulate(own[:, ::-1], axis=1)[:, ::-1]
        deeper = np.logical_or.accumulate(self.depths[:, ::-1], axis=1)[:, ::-1]
        return np.concatenate([weights, deeper[:, :0:-1]], axis=1)

    @cached_property
    def may_leave(self) -> Array:
        """Whether classes (rows) may leave slices (columns) alone."""
        cluster = self.cluster
        weights = np.zeros((cluster.num_classes, cluster.num_options), bool)
        least = np.argmax(self.depths, axis=1)
        for layer, (before, after) in enumerate(zip(cluster.first[:-1], cluster.first[1:], strict=True)):
            none = self.may_skip[:, layer].astype(bool) | (least < cluster.num_layers - layer)
            smaller = np.logical_or.accumulate(self.allowed[:, before:after], axis=1)
            weights[:, before:after] = none[:, None]
            weights[:, before + 1 : after] |= smaller[:, :-1].astype(bool)
        shallower = np.logical_or.accumulate(self.depths, axis=1)
        return np.concatenate([weights, shallower[:, -2::-1]], axis=1)

    def decided(self, c: int, s: int, updates: bool) -> Scope:
        """Return the scope in which a class updates a slice, or does not."""
        cluster = self.cluster
        allowed, may_skip, depths = self.allowed.copy(), self.may_skip.copy(), self.depths.copy()
        layer = int(cluster.layer[s])
        reach, is_bias = cluster.num_layers - layer, s >= cluster.num_options
        if updates:
            depths[c, :reach] = False
            if not is_bias:
                allowed[c, cluster.first[layer] : s], may_skip[c, layer] = 0, 0
        elif is_bias:
            depths[c, reach:] = False
        else:
            allowed[c, s : cluster.first[layer + 1]] = 0
        return Scope(cluster, allowed, may_skip, depths)
