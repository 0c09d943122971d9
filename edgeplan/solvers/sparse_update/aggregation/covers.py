"""Free collectives for given updates: which sets of devices share an all-reduce, or a lone broadcast.

A location problem: to use a set costs its fixed price, and a slice goes with the cheapest set in use that
holds all who update it. Sets are added, dropped and exchanged as long as that pays. With a flat broadcast
on a shared network the sets of a best solution are disjoint, and one broadcast each tells them to the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.models.sparse_update import SparsePlan
from edgeplan.models.sparse_update.network import CollectiveCosts
from edgeplan.models.sparse_update.plan import Collective
from edgeplan.models.sparse_update.slices import Updated, updated_slices
from edgeplan.solvers.sparse_update.aggregation.aggregation import Aggregation, distinct
from edgeplan.solvers.sparse_update.choices.cluster import Array, Choices, Cluster


@dataclass(frozen=True)
class Covering:
    """Sets in use, and which of them slices go with.

    Parameters
    ----------
    price
        Of all together.
    used
        Indices of the sets in use.
    of_slice
        Set of every slice; -1: nobody updates it, or it has no parameters.
    """

    price: float
    used: tuple[int, ...]
    of_slice: Array


@dataclass(frozen=True)
class Covers:
    """Finds free collectives.

    Parameters
    ----------
    aggregation
        Prices of sets.
    member
        The sets (rows) to choose from.
    """

    aggregation: Aggregation
    member: Array

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        return self.aggregation.cluster

    def plan(self, choices: Choices) -> SparsePlan:
        """Write choices as a plan with the best collectives that are found."""
        cluster, plan = self.cluster, self.cluster.plan(choices)
        of_slice = self.best(cluster.updated(choices)).of_slice
        sets: dict[int, list[Updated]] = {}
        for one in updated_slices(cluster.instance, plan.devices):
            sets.setdefault(int(of_slice[self._slices(one)].max()), []).append(one)
        collectives = [own for k, slices in sets.items() for own in self._collectives(self.member[k], slices)]
        return plan.model_copy(update={"collectives": tuple(collectives)})

    def _slices(self, one: Updated) -> list[int]:
        """Our slices that make up one of a plan."""
        cluster, layer = self.cluster, self.cluster.instance.layer_index[one.slice.layer]
        if one.slice.bias:
            return [cluster.num_options + layer]
        low, high = one.slice.from_ or 0.0, one.slice.to or 0.0
        options = enumerate(cluster.instance.layers[layer].options, start=int(cluster.first[layer]))
        return [index for index, option in options if low < option.ratio <= high]

    def _collectives(self, group: Array, slices: list[Updated]) -> Iterator[Collective]:
        """All-reduce slices among a set, and tell them to the rest."""
        inside, outside = self.aggregation.ids(group), self.aggregation.ids(~group)
        parts = tuple(one.slice for one in slices)
        if len(inside) > 1:
            yield Collective(kind="all_reduce", members=tuple(inside), slices=parts)
        if outside:
            num_bytes = self.cluster.instance.training.gradient_bytes * sum(one.parameters for one in slices)
            root = CollectiveCosts(self.cluster.instance).best_root(inside, outside, num_bytes)
            yield Collective(kind="broadcast", root=root, members=(root, *outside), slices=parts)

    def price(self, updated: Array) -> float:
        """What the best collectives that are found cost."""
        return self.best(updated).price

    @cached_property
    def _priced(self) -> tuple[Array, Array, Array]:
        """Set, fixed price and byte price of every row: a set with several prices has several."""
        rows = [(k, price) for k, group in enumerate(self.member) for price in self.aggregation.prices(group)]
        return (
            np.array([k for k, _ in rows]),
            np.array([price.fixed for _, price in rows]),
            np.array([price.per_byte for _, price in rows]),
        )

    def best(self, updated: Array) -> Covering:
        """Cover the slices (columns) that classes (rows) update."""
        sent = np.flatnonzero((self.aggregation.pool >= 0) & updated.any(axis=0))
        of_slice = np.full(updated.shape[1], -1)
        if not len(sent):
            return Covering(0.0, (), of_slice)
        sets, fixed, _ = self._priced
        groups, which = distinct(updated[:, sent])
        num_bytes = np.bincount(which, self.cluster.slice_bytes[sent], len(groups))
        cost = self._costs(groups, num_bytes)
        rows = self._search(cost, fixed)
        chosen = np.array(rows)[np.argmin(cost[:, rows], axis=1)]
        price = math.fsum([*fixed[np.unique(chosen)], *cost[np.arange(len(groups)), chosen]])
        of_slice[sent] = sets[chosen[which]]
        return Covering(price, tuple(np.unique(sets[chosen]).tolist()), of_slice)

    def groups_of(self, c: int, updated: Array) -> Array:
        """Return no groups: sets in use need not be given up for a class."""
        return np.zeros((0, len(updated)), bool)

    def added(self, c: int, updated: Array, barred: Array | None = None) -> Array:
        """What it adds for every slice that a class updates it too; sets in use are free to use."""
        assert barred is None
        without, joined = updated.copy(), updated.copy()
        without[c], joined[c] = False, True
        sets, fixed, _ = self._priced
        used = np.isin(sets, self.best(updated).used)
        price = np.where(used, 0.0, fixed)
        each = self.cluster.slice_bytes * (self.aggregation.pool >= 0)
        before = np.where(without.any(axis=0), (self._costs(without.T, each) + price).min(axis=1), 0.0)
        added = (self._costs(joined.T, each) + price).min(axis=1) - before
        return np.where(self.aggregation.pool >= 0, added, 0.0)

    def _costs(self, groups: Array, num_bytes: Array) -> Array:
        """What buffers of groups (rows) cost by sets (columns); infinite where these do not hold them."""
        sets, _, per_byte = self._priced
        lacking = groups.astype(int) @ (~self.member).T.astype(int)
        return np.where(lacking[:, sets] == 0, np.outer(num_bytes, per_byte), np.inf)

    def _search(self, cost: Array, fixed: Array) -> list[int]:
        """Rows in use, from the best one that holds all."""
        rows = [int(np.argmin(cost.sum(axis=0) + fixed))]
        known = float((cost[:, rows[0]]).sum() + fixed[rows[0]])
        while True:
            price, trial = min(_moves(rows, cost, fixed))
            if not price < known - 1e-12 * abs(known):
                return rows
            known, rows = price, trial


def _moves(rows: list[int], cost: Array, fixed: Array) -> Iterator[tuple[float, list[int]]]:
    """Sets in use with one more, one less, or one exchanged, and what they cost; of each kind the best."""
    for left in ([one for one in rows if one != row] for row in [*rows, None]):
        cheapest = cost[:, left].min(axis=1, initial=np.inf)
        paid = float(fixed[left].sum())
        yield paid + float(cheapest.sum()), left
        joined = np.minimum(cheapest[:, None], cost).sum(axis=0) + fixed
        joined[left] = np.inf
        other = int(np.argmin(joined))
        yield paid + float(joined[other]), [*left, other]
