"""Many devices: prices from a coarse cluster, a descent with groups by size, and plans on the way and after.

Classes of like memory are put together into a few, for which the linear relaxation is small. Its shares,
carried back by memory, are where the descent for all classes begins. Where a gap is left, plans of few
groups are looked for.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from edgeplan.solvers.sparse_update.aggregation.aggregation import Aggregation
from edgeplan.solvers.sparse_update.bundles.bundles import Bundles
from edgeplan.solvers.sparse_update.choices.cluster import Array, Choices, Cluster
from edgeplan.solvers.sparse_update.prices.descent import descend
from edgeplan.solvers.sparse_update.prices.dual import Answer, Dual, Part
from edgeplan.solvers.sparse_update.prices.prices import Prices
from edgeplan.solvers.sparse_update.prices.size_groups import SizeGroups
from edgeplan.solvers.sparse_update.tree.improvement import Improvement
from edgeplan.solvers.sparse_update.tree.method import Method, OnPlan
from edgeplan.solvers.sparse_update.tree.tree import Tree

_COARSE = (2, 4, 6)  # classes of coarse clusters
_SHARE = 0.25  # of the time that is left, for all coarse clusters
_STEPS = 300
_GAINED = 1e-5  # relative: a descent that lowers the bound by less was the last
_OFTEN = 40  # answers of which one is improved
_EVALUATIONS = 400  # of bundles for every slice at first; then twice as many, and so on
_FRUITLESS = 2  # searches in a row that end it, once one has found something


@dataclass
class AtSize(Method):
    """A bound and plans for a cluster of many devices."""

    _answers: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._groups = SizeGroups.of(self.cluster, Aggregation(self.cluster))

    def run(self, time_limit_s: float) -> bool:
        """Search until time is up or nothing is gained; say whether it is proven that no plan exists.

        Parameters
        ----------
        time_limit_s
            For everything.
        """
        dual, part = Dual(self.cluster), Part.whole(self._groups)
        nothing = Prices.nothing(self.cluster, len(self._groups.fixed))
        alone = dual.answer(nothing, part)
        if alone.bound == -math.inf:
            return True
        self.on_bound(alone.bound)
        self._take(alone)
        share = self._by_coarse_clusters(time.monotonic() + _SHARE * time_limit_s)
        prices, before = nothing if share is None else Prices(share, nothing.toll), math.inf
        while not self.until():
            target = self.best if self.best > -math.inf else alone.bound - abs(alone.bound) - 1
            found = descend(
                dual, part, prices, target=target, steps=_STEPS, on_answer=self._take, until=self.until
            )
            self.on_bound(found.bound)
            if not found.bound < before - _GAINED * abs(before):
                break
            before, prices = found.bound, found.prices
        if Bundles.suit(self.cluster):
            self._by_bundles()
        return False

    def _by_coarse_clusters(self, until: float) -> Array | None:
        """Plan for fewer classes, and return the shares of the finest; None where there are none."""
        share = None
        for num in _COARSE:
            if num >= self.cluster.num_classes or self.until() or time.monotonic() >= until:
                break
            coarse, coarse_of = self._coarse(num)
            kept: list[Choices] = []
            improvement = Improvement.of(coarse)
            on_plan = _keeping(kept, improvement)
            tree = Tree(improvement, on_plan, lambda _: None, lambda: time.monotonic() >= until)
            prices = tree.root(max(0.0, until - time.monotonic()))
            for choices in kept[-1:]:
                self._offer(self.improvement.improved(_spread(choices, coarse_of)))
            share = self._carried(coarse, prices.share)
        return share

    def _by_bundles(self) -> None:
        """Plan by bundles, longer and longer, while that finds better plans."""
        bundles, left, first = Bundles(self.cluster), 1, _EVALUATIONS * self.cluster.num_slices
        for seed in count():
            if not left or self.until():
                return
            before = self.best
            for picks in bundles.found(seed, first << seed, self.until):
                late = self.until()
                self._offer(picks.choices if late else self.improvement.improved(picks.choices))
            left = _FRUITLESS if self.best > before else left - 1

    def _coarse(self, num: int) -> tuple[Cluster, Array]:
        """Put classes of like memory together, as many devices each; the least memory speaks for all."""
        devices = np.cumsum(self.cluster.count) - self.cluster.count
        coarse_of = (devices * num) // int(self.cluster.count.sum())
        _, coarse_of = np.unique(coarse_of, return_inverse=True)
        together: list[tuple[int, ...]] = [() for _ in range(int(coarse_of.max()) + 1)]
        for own, k in zip(self.cluster.members, coarse_of.tolist(), strict=True):
            together[k] += own
        return Cluster(self.cluster.problem, tuple(together)), coarse_of

    def _carried(self, coarse: Cluster, share: Array) -> Array:
        """Shares of all classes, between those of coarse ones by memory."""
        memory = self.cluster.memory_bytes, coarse.memory_bytes
        return np.transpose([np.interp(*memory, share[:, s]) for s in range(share.shape[1])])

    def _take(self, answer: Answer) -> float:
        """Judge an answer's choices now and then; return the best objective."""
        self._answers += 1
        if self._answers % _OFTEN == 1:
            self._offer(self.improvement.improved(answer.choices))
        return self.best

    def _offer(self, choices: Choices | None) -> None:
        if choices is not None:
            self.offered(choices)


def _keeping(kept: list[Choices], improvement: Improvement) -> OnPlan:
    """Keep choices as they get better; the objective is the coarse cluster's own."""

    def keep(choices: Choices) -> float:
        kept.append(choices)
        return improvement.objective(choices)

    return keep


def _spread(choices: Choices, coarse_of: Array) -> Choices:
    """Let every class do what its coarse one does."""
    return Choices(choices.depth[coarse_of], choices.option[coarse_of])
