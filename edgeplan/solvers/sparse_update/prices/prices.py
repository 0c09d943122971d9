"""Prices that take a cluster apart: what a class pays for a slice, and a slice for its group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeplan.solvers.sparse_update.choices.cluster import Array, Cluster


@dataclass(frozen=True)
class Prices:
    """Multipliers of the two couplings.

    Parameters
    ----------
    share
        What a device of every class (row) pays for updating every slice (column); below 0 it is paid.
    toll
        What every slice (row) pays towards the fixed price of every group (column), at least 0.
    """

    share: Array
    toll: Array

    @classmethod
    def nothing(cls, cluster: Cluster, num_groups: int) -> Prices:
        """Nobody pays."""
        shape = cluster.num_classes, cluster.num_slices
        return cls(np.zeros(shape), np.zeros((cluster.num_slices, num_groups)))


def option_values(cluster: Cluster, share: Array) -> tuple[Array, Array]:
    """Return what options and depths are worth to classes that pay shares."""
    num_options = cluster.num_options
    paid = np.cumsum(share[:, :num_options], axis=1)
    before = np.concatenate([np.zeros((len(share), 1)), paid], axis=1)[:, cluster.first[:-1]]
    value = cluster.gain - paid + before[:, cluster.layer[:num_options]]
    biases = np.cumsum(share[:, : num_options - 1 : -1], axis=1)
    depth_value = cluster.depth_gain.copy()
    depth_value[:, 1:] -= biases
    return np.ascontiguousarray(value), np.ascontiguousarray(depth_value)
