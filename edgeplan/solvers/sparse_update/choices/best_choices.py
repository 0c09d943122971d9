"""The best depth and options of every class by itself, for any values: the kernel's knapsack."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field

import numpy as np

from edgeplan.solvers.sparse_update.choices.cluster import Array, Choices, Cluster
from edgeplan.solvers.sparse_update.choices.scope import Scope
from edgeplan.solvers.sparse_update.kernel.library import Choice, Device, Layers, kernel

WIDE, _NARROW = 128, 64  # labels of a layer: to find a choice, and to find out whether one is worth a look
EXACT = 2**20

Rows = tuple[Array, Array, Array, Array]
"""Of one class: values of options and of depths, minus infinity where not allowed; which options it may
choose, and which layers it may leave alone."""


@dataclass(frozen=True)
class Best:
    """What every class chooses, and what that is worth.

    Parameters
    ----------
    value
        Of one device of every class; minus infinity where nothing is above what was asked for.
    upper
        Bound on it: the value itself, or where the search was cut short what prices alone prove.
    choices
        The choices; of a class without one they mean nothing.
    """

    value: Array
    upper: Array
    choices: Choices


@dataclass
class BestChoices:
    """Finds the choices of a cluster's classes; begins with those of the call before.

    Parameters
    ----------
    cluster
        The cluster.
    wide
        Labels of a layer that are kept at most; `EXACT` is as good as all.
    """

    cluster: Cluster
    wide: int = WIDE
    _kept: list[Array] = field(default_factory=list)

    def __post_init__(self) -> None:
        cluster = self.cluster
        self._kernel = kernel()
        self._layers = Layers(
            cluster.num_layers,
            *(
                self._address(array, kind)
                for array, kind in (
                    (cluster.first, np.int32),
                    (cluster.option_bytes, np.int64),
                    (cluster.option_flops, np.float64),
                    (cluster.reach_bytes, np.int64),
                    (cluster.reach_flops, np.float64),
                )
            ),
        )
        self._choice = [Choice(depth=-1, wide=self.wide) for _ in range(cluster.num_classes)]
        self._option = np.full((cluster.num_classes, cluster.num_layers), -1, np.int32)

    def _address(self, array: Array, kind: type) -> int:
        """Address of an array of this kind, which lives as long as we do."""
        self._kept.append(np.ascontiguousarray(array, kind))
        return int(self._kept[-1].ctypes.data)

    def find(self, value: Array, depth_value: Array, scope: Scope) -> Best:
        """Return the best choice of every class.

        Parameters
        ----------
        value
            Of options (columns) to classes (rows).
        depth_value
            Of depths to classes; minus infinity: not allowed.
        scope
            What classes may do.
        """
        depth_value = np.where(scope.depths, depth_value, -np.inf)
        found, upper = np.empty(len(value)), np.empty(len(value))
        for c, choice in enumerate(self._choice):
            rows = value[c], depth_value[c], scope.allowed[c], scope.may_skip[c]
            self._call(c, choice, self._option[c], -np.inf, rows)
            found[c] = choice.value
            upper[c] = choice.upper
        depth = np.array([choice.depth for choice in self._choice], np.int32)
        return Best(found, upper, Choices(depth, self._option.copy()))

    def find_one(self, c: int, rows: Rows) -> tuple[int, Array] | None:
        """Return depth and options of a class; None where it has no choice."""
        choice, option = self._choice[c], self._option[c]
        self._call(c, choice, option, -np.inf, rows)
        return (choice.depth, option.copy()) if choice.value > -np.inf else None

    def reaches(self, c: int, above: float, rows: Rows) -> tuple[bool, tuple[int, Array] | None]:
        """Whether a class may come to more than a value, in doubt it may; and depth and options that do."""
        before, option = self._choice[c], np.full(self.cluster.num_layers, -1, np.int32)
        choice = Choice(depth=-1, wide=_NARROW, byte_price=before.byte_price, flop_price=before.flop_price)
        self._call(c, choice, option, above, rows)
        return bool(choice.upper > above), (choice.depth, option) if choice.value > above else None

    def _call(self, c: int, choice: Choice, option: Array, above: float, rows: Rows) -> None:
        device = Device(
            int(self.cluster.memory_bytes[c]),
            float(self.cluster.flops[c]),
            *(array.ctypes.data for array in rows),
        )
        self._kernel.best_choice(
            ctypes.byref(self._layers), ctypes.byref(device), above, ctypes.byref(choice), option.ctypes.data
        )
