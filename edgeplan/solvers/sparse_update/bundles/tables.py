"""What slices need and bring, as the kernel's search for bundles wants it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from edgeplan.solvers.sparse_update.aggregation.size_prices import SizePrices
from edgeplan.solvers.sparse_update.choices.cluster import Array, Cluster
from edgeplan.solvers.sparse_update.choices.scope import Scope
from edgeplan.solvers.sparse_update.kernel.library import Bundled
from edgeplan.solvers.sparse_update.prices.update_rows import steps

_FIRST_LINEAR = 2  # size of a group from which on its price is nearly linear, to all devices but one


@dataclass
class Tables:
    """Arrays of a cluster.

    Parameters
    ----------
    cluster
        The cluster.
    """

    cluster: Cluster
    _kept: list[Array] = field(default_factory=list, init=False)

    @cached_property
    def needs(self) -> Array:
        """The slice without which no device updates a slice; -1 for none."""
        num_options, num_layers = self.cluster.num_options, self.cluster.num_layers
        each = np.arange(num_options)
        bias = num_options + self.cluster.layer[:num_options]
        of_weights = np.where(np.isin(each, self.cluster.first[:-1]), bias, each - 1)
        of_biases = num_options + np.arange(1, num_layers + 1)
        of_biases[-1] = -1
        return np.concatenate([of_weights, of_biases])

    @cached_property
    def order(self) -> Array:
        """Slices, every one behind the one that it needs: biases from the last layer on, then weights."""
        biases = np.arange(self.cluster.num_options, self.cluster.num_slices)
        return np.concatenate([biases[::-1], np.arange(self.cluster.num_options)])

    @cached_property
    def worth(self) -> Array:
        """What slices (columns) bring a device of every class (rows).

        What a class may not do, and what it must, counts more than all that it brings.
        """
        of_weights = steps(self.cluster.gain, self.cluster.first)
        of_biases = np.diff(self._of_depths, axis=1)[:, ::-1]
        worth = np.concatenate([of_weights, of_biases], axis=1)
        return np.asarray(worth + self._penalty * (1.0 * self._must - ~self._scope.may_update))

    @cached_property
    def without(self) -> float:
        """What the cluster brings without any update, less a penalty for those that it must make."""
        missed = self._penalty * self._must.sum(axis=1)
        return float(self.cluster.count @ (self._of_depths[:, 0] - missed))

    @cached_property
    def _scope(self) -> Scope:
        return Scope.of(self.cluster)

    @property
    def _must(self) -> Array:
        """Whether classes (rows) have to update slices (columns)."""
        return ~self._scope.may_leave

    @cached_property
    def by_kind(self) -> Array:
        """Classes in the kernel's order: by kind, then by memory."""
        return np.lexsort((self.cluster.memory_bytes, self._kinds[1]))

    @cached_property
    def bundled(self) -> Bundled:
        """All of it, where the kernel finds it; lives as long as we do."""
        cluster, (kinds, kind) = self.cluster, self._kinds
        prices, classes = SizePrices.of(cluster.instance), self.by_kind
        reals = (
            _of_slices(cluster, cluster.option_bytes, cluster.reach_bytes),
            _of_slices(cluster, cluster.option_flops, cluster.reach_flops),
            cluster.slice_bytes,
            kinds[:, :-1],
            kinds[:, -1] - cluster.reach_flops[0],
            cluster.count[classes],
            cluster.memory_bytes[classes] - cluster.reach_bytes[0],
            prices.fixed,
            prices.per_byte,
        )
        first = np.searchsorted(kind[classes], np.arange(len(kinds) + 1))
        addresses = [self._address(array, np.float64) for array in reals]
        addresses.insert(5, self._address(first, np.int32))
        indices = (self._address(array, np.int32) for array in (self.order, self.needs, cluster.layer))
        joining = _slope(prices.fixed), _slope(prices.per_byte)
        return Bundled(cluster.num_slices, cluster.num_layers, len(kinds), *indices, *addresses, *joining)

    @cached_property
    def _kinds(self) -> tuple[Array, Array]:
        """What slices are worth to kinds of classes and, last, FLOPs; and the kind of every class."""
        rows = np.column_stack([self.worth, self.cluster.flops])
        kinds, kind = np.unique(rows, axis=0, return_inverse=True)
        return kinds, kind

    @cached_property
    def _of_depths(self) -> Array:
        """What depths (columns) bring a device of every class (rows)."""
        gain = self.cluster.depth_gain
        return np.where(np.isfinite(gain), gain, -self._penalty)

    @cached_property
    def _penalty(self) -> float:
        """More than any device can bring."""
        depths = np.where(np.isfinite(self.cluster.depth_gain), self.cluster.depth_gain, 0.0)
        brought = np.abs(self.cluster.gain).sum(axis=1) + np.abs(depths).max(axis=1)
        return 1.0 + 2.0 * float(brought.max())

    def _address(self, array: Array, kind: type) -> int:
        """Address of an array of this kind."""
        self._kept.append(np.ascontiguousarray(array, kind))
        return int(self._kept[-1].ctypes.data)


def _of_slices(cluster: Cluster, of_options: Array, of_depths: Array) -> Array:
    """What slices add, from what options and depths use."""
    of_weights = steps(of_options[None].astype(float), cluster.first)[0]
    return np.concatenate([of_weights, np.diff(of_depths)[::-1]])


def _slope(prices: Array) -> float:
    """What one more device adds, by and large."""
    size = len(prices) - 2
    return float(prices[size] - prices[_FIRST_LINEAR]) / max(1, size - _FIRST_LINEAR)
