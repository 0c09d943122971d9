"""What no better plan does, proven by prices: groups that lose too much, and options and depths likewise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from edgeplan.solvers.sparse_update.choices.cluster import Array
from edgeplan.solvers.sparse_update.choices.scope import Scope
from edgeplan.solvers.sparse_update.prices.descent import Descended
from edgeplan.solvers.sparse_update.prices.dual import Answer, Dual, Part, profits
from edgeplan.solvers.sparse_update.prices.prices import Prices, option_values


def without_losing_groups(part: Part, found: Descended, gap: float) -> tuple[Part, Descended]:
    """Drop the groups of which any slice loses more than the gap, whatever the others do.

    Parameters
    ----------
    part
        A part of the search.
    found
        Prices that prove its bound.
    gap
        From the bound to the objective of the best plan known.
    """
    groups, pool, prices = part.groups, part.groups.pool, found.prices
    profit = profits(prices, part)
    most = profit.max(axis=1, initial=-np.inf)
    most = np.where(part.must, most, np.maximum(most, 0.0))
    suits = profit > -np.inf
    loss = np.where(suits, most[:, None] - np.where(suits, profit, 0.0), np.inf)
    closed = groups.closed.copy()
    for p in range(groups.num_pools):
        slack = groups.fixed - prices.toll[pool == p].sum(axis=0)
        closed[p] |= (loss[pool == p].min(axis=0) + slack > gap) & ~part.opened[p]
    return with_closed(part, found, closed)


def with_closed(part: Part, found: Descended, closed: Array) -> tuple[Part, Descended]:
    """Close groups (columns) to pools (rows), and forget those that no slice may have any more."""
    part = replace(part, groups=replace(part.groups, closed=closed))
    kept = ~part.groups.needless
    kept[0] |= not kept.any()
    left = replace(part, groups=part.groups.only(kept), opened=part.opened[:, kept])
    prices = Prices(found.prices.share, found.prices.toll[:, kept])
    return left, replace(found, prices=prices, taken=found.taken[:, kept])


def without_losing_choices(
    dual: Dual, part: Part, prices: Prices, answer: Answer, gap: float, until: Callable[[], bool]
) -> Part:
    """Drop the options and depths with which a class loses more than the gap.

    Parameters
    ----------
    answer
        At these prices.
    until
        Whether to stop, with the classes looked at so far.
    """
    value, depth_value = option_values(dual.cluster, prices.share)
    scope = part.scope
    allowed, may_skip, depths = scope.allowed.copy(), scope.may_skip.copy(), scope.depths.copy()
    for c, count in enumerate(dual.cluster.count):
        if until():
            break
        seen = (np.zeros(one.shape[1], bool) for one in (allowed, may_skip, depths))
        least = float(answer.class_value[c] - gap / count)
        trials = _Trials(dual, c, value[c], depth_value[c], least, *seen)
        trials.see(int(answer.choices.depth[c]), answer.choices.option[c])
        trials.drop(allowed[c], may_skip[c], depths[c])
    return replace(part, scope=Scope(dual.cluster, allowed, may_skip, depths))


@dataclass(frozen=True)
class _Trials:
    """Whether a class comes to more than it must with one thing forced on it.

    A choice that does is found for most things, and speaks for all that is in it.
    """

    dual: Dual
    c: int
    value: Array
    depth_value: Array
    least: float
    seen_options: Array
    seen_skips: Array
    seen_depths: Array

    def drop(self, allowed: Array, may_skip: Array, depths: Array) -> None:
        """Drop what fails, in place."""
        cluster, each = self.dual.cluster, np.arange(len(depths))
        for k in np.flatnonzero(depths & ~self.seen_depths):
            depths[k] = self._reaches(allowed, may_skip, each == k)
        for layer, (first, end) in enumerate(pairwise(cluster.first)):
            reaching = depths & (each >= cluster.num_layers - layer)
            for option in first + np.flatnonzero(allowed[first:end]):
                if not self.seen_options[option]:
                    alone, forced = allowed.copy(), may_skip.copy()
                    alone[first:end], forced[layer] = 0, 0
                    alone[option] = 1
                    allowed[option] = self._reaches(alone, forced, reaching)
            if may_skip[layer] and not self.seen_skips[layer]:
                none = allowed.copy()
                none[first:end] = 0
                may_skip[layer] = self._reaches(none, may_skip, reaching)

    def _reaches(self, allowed: Array, may_skip: Array, depths: Array) -> bool:
        depth_value = np.where(depths, self.depth_value, -np.inf)
        rows = self.value, depth_value, allowed, may_skip
        may, found = self.dual.best.reaches(self.c, self.least, rows)
        if found is not None:
            self.see(*found)
        return may

    def see(self, depth: int, option: Array) -> None:
        """Take note of a choice that comes to more."""
        reached = np.arange(len(option)) >= len(option) - depth
        self.seen_depths[depth] = True
        self.seen_options[option[option >= 0]] = True
        self.seen_skips[reached & (option < 0)] = True
