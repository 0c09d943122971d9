"""Plans by bundles: the slices that one group of devices updates.

Of bundle b let n_b be the bytes and g_b the devices. On a shared network a group's price by (7) is nearly
linear in its size: f(g) + r(g) n with f(g) ~ f0 + f1 g and r(g) ~ r0 + r1 g. So of given bundles every class
picks by itself those that bring its devices most,

    max  sum_b x_b (what b's slices bring - f1 - r1 n_b)   within memory (1) and step time (2),

where a bundle goes with those that hold what its slices need: the smaller slice of their layer or the layer's
bias, and of a bias the next layer's. Only few sets of bundles hold all that they need, and one list of them
serves all classes that differ by memory alone. Groups then pay their true price. Which slice lies in which
bundle is found by simulated annealing: it moves a slice, swaps two, moves several of a bundle, or shifts
where in the network one bundle's layers end and another's begin.

Few groups suffice where the memories of bundles are like binary digits: then every class fills its own.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from edgeplan.models.network import Network
from edgeplan.solvers.sparse_update.aggregation.size_prices import SizePrices
from edgeplan.solvers.sparse_update.bundles.tables import Tables
from edgeplan.solvers.sparse_update.choices.cluster import Array, Choices, Cluster
from edgeplan.solvers.sparse_update.kernel.library import Annealed, kernel

_LEAST_DEVICES = 4
_NUM_BUNDLES = (12, 16, 20, 24)  # one search after another: structure first, then what fills it up
_HEAT, _REHEAT = 0.02, 0.3  # of what a slice brings on average; of that, where a search goes on from another
_COOLED = 0.01  # of the heat, at the end
_AT_ONCE = 2000  # evaluations between looks at the time, where all classes have one list

Stretch = tuple[int, float, float]
"""Evaluations, and heat at first and at last."""


class Picks(NamedTuple):
    """Bundles, and what classes make of them."""

    value: float
    """What it comes to: more if groups of two bundles are the same."""
    bundle: Array
    """Of every slice; -1: nobody updates it."""
    choices: Choices
    """Of all classes."""


@dataclass
class Bundles:
    """Looks for bundles of a cluster.

    Parameters
    ----------
    cluster
        A cluster that suits.
    """

    cluster: Cluster

    def __post_init__(self) -> None:
        self._kernel = kernel()
        self._tables = Tables(self.cluster)

    @staticmethod
    def suit(cluster: Cluster) -> bool:
        """Whether groups have a price that bundles save, and classes may cross each other's memory.

        Coverage is for those to mend who get the choices.
        """
        instance = cluster.instance
        shared = instance.collectives == "canonical" and not isinstance(instance.network, Network)
        if not shared or not instance.fuse or instance.nested or len(instance.devices) < _LEAST_DEVICES:
            return False
        paid = SizePrices.of(instance).fixed.any() and cluster.slice_bytes.any()
        return bool(paid and cluster.gain.any())

    def picked(self, bundle: Array) -> Picks:
        """Let classes pick among given bundles."""
        return self._run(bundle, 0, int(bundle.max(initial=0)) + 1, [(0, 1.0, 1.0)], lambda: False)

    def found(self, seed: int, evaluations: int, until: Callable[[], bool]) -> Iterator[Picks]:
        """Search with few bundles, then with more and more; yield what is better than before.

        Parameters
        ----------
        seed
            Of what moves.
        evaluations
            Of every search.
        until
            Whether to stop.
        """
        best, heat = self.picked(np.full(self.cluster.num_slices, -1)), self._heat
        for num_bundles in _NUM_BUNDLES:
            stretches = self._stretches(evaluations, heat)
            picks = self._run(best.bundle, seed, num_bundles, stretches, until)
            if picks.value > best.value:
                best = picks
                yield picks
            if until():
                return
            heat = _REHEAT * self._heat

    @property
    def _heat(self) -> float:
        """What a move may well lose at first."""
        return _HEAT * float(self.cluster.count @ np.abs(self.cluster.gain).mean(axis=1))

    def _stretches(self, evaluations: int, heat: float) -> Iterator[Stretch]:
        """Cool down evenly by ratio, with looks at the time."""
        each = max(1, min(evaluations, _AT_ONCE // self._tables.bundled.num_kinds))
        num = -(-evaluations // each)
        return ((each, *both) for both in pairwise(np.geomspace(heat, _COOLED * heat, num + 1).tolist()))

    def _run(
        self,
        bundle: Array,
        seed: int,
        num_bundles: int,
        stretches: Iterable[Stretch],
        until: Callable[[], bool],
    ) -> Picks:
        current, num_classes = np.array(bundle, np.int32), self.cluster.num_classes
        best, joined = current.copy(), np.zeros(num_classes, np.int32)
        state = Annealed(-np.inf, seed, *(array.ctypes.data for array in (current, best, joined)))
        for evaluations, hot, cold in stretches:
            given = ctypes.byref(self._tables.bundled), ctypes.byref(state)
            self._kernel.anneal(*given, num_bundles, evaluations, hot, cold)
            if until():
                break
        sets = np.empty_like(joined)
        sets[self._tables.by_kind] = joined
        updated = (best >= 0) & (sets[:, None] >> np.maximum(best, 0) & 1 > 0)
        return Picks(state.value + self._tables.without, best, self.cluster.choices_of(updated))
