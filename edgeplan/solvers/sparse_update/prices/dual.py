"""The bound that prices prove: every class and every slice does what is best for itself.

For any prices, every plan of a part of the search brings at most

    sum_c count_c * (best choice of c at its shares)
    + sum_s max_G (shares of G's classes - bytes * per_byte_G - toll of s for G) - fixed prices of open groups

since shares cancel where slices have the groups that classes make, and since the tolls of a group's slices
are at most its fixed price.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from edgeplan.solvers.sparse_update.choices.best_choices import BestChoices
from edgeplan.solvers.sparse_update.choices.cluster import Array, Choices, Cluster
from edgeplan.solvers.sparse_update.choices.scope import Scope
from edgeplan.solvers.sparse_update.prices.groups import Groups, Rewards
from edgeplan.solvers.sparse_update.prices.prices import Prices, option_values


@dataclass(frozen=True)
class Part:
    """A part of the search: what classes may do, and which groups slices may have.

    Parameters
    ----------
    scope
        What classes may do.
    groups
        The groups that are left.
    opened
        Groups (columns) of pools (rows) that are paid for in any case.
    """

    scope: Scope
    groups: Groups
    opened: Array

    @classmethod
    def whole(cls, groups: Groups) -> Part:
        """All that the instance leaves."""
        return cls(Scope.of(groups.cluster), groups, np.zeros((groups.num_pools, len(groups.fixed)), bool))

    @cached_property
    def allowed(self) -> Array:
        """Whether every slice may have every group, as far as what classes may do says."""
        suits = self.groups.suits(self.scope.may_update, ~self.scope.may_leave)
        return np.asarray(self.groups.allowed & suits)

    def rewards(self, prices: Prices) -> Rewards:
        """What classes pay at most for slices with every group."""
        return self.groups.rewards((self.scope.cluster.count[:, None] * prices.share).T, self._barred)

    @cached_property
    def _barred(self) -> Array | None:
        return self.groups.barred(self.scope.may_update, ~self.scope.may_leave)

    @cached_property
    def must(self) -> Array:
        """Whether every slice must have a group, since a rule wants it or a class has to update it."""
        must = self.groups.must | ~self.scope.may_leave.all(axis=0)
        return np.asarray(must & ~self.groups.idle)


@dataclass(frozen=True)
class Answer:
    """What all do at given prices, and the bound that it proves.

    Parameters
    ----------
    bound
        On the objective of every plan in the part; minus infinity where there is none.
    choices
        Of the classes.
    updated
        Whether classes (rows) update slices (columns).
    group
        Group of every slice, -1 for none.
    wanted
        Whether classes (rows) are in the groups that slices (columns) have.
    class_value
        What one device of every class has left.
    """

    bound: float
    choices: Choices
    updated: Array
    group: Array
    wanted: Array
    class_value: Array


@dataclass
class Dual:
    """Evaluates prices.

    Parameters
    ----------
    cluster
        The cluster.
    """

    cluster: Cluster
    best: BestChoices = field(init=False)

    def __post_init__(self) -> None:
        self.best = BestChoices(self.cluster)

    def answer(self, prices: Prices, part: Part) -> Answer:
        """Let every class and every slice choose."""
        cluster, groups = self.cluster, part.groups
        value, depth_value = option_values(cluster, prices.share)
        best = self.best.find(value, depth_value, part.scope)
        rewards = part.rewards(prices)
        profit = profits(prices, part, rewards)
        group = np.argmax(profit, axis=1)
        slice_value = profit[np.arange(len(group)), group]
        none = ~part.must & (slice_value <= 0)
        group[none], slice_value[none] = -1, 0.0
        paid = float((part.opened @ groups.fixed).sum())
        bound = float(cluster.count @ best.upper) + float(slice_value.sum()) - paid
        wanted = np.zeros((cluster.num_classes, len(group)), bool)
        wanted[:, ~none] = groups.wanted(rewards, np.flatnonzero(~none), group[~none])
        updated = cluster.updated(best.choices)
        wanted[:, groups.idle] = updated[:, groups.idle]
        return Answer(bound, best.choices, updated, group, wanted, best.upper)


def profits(prices: Prices, part: Part, rewards: Rewards | None = None) -> Array:
    """What every slice (row) has left of its classes' shares with every group (column)."""
    groups = part.groups
    profit = (rewards or part.rewards(prices)).paid - groups.cost - prices.toll
    profit[~part.allowed] = -np.inf
    return np.asarray(profit)
