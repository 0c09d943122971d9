"""Better prices step by step: a projected subgradient method, steps as Polyak's, the course averaged."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgeplan.solvers.sparse_update.choices.cluster import Array
from edgeplan.solvers.sparse_update.prices.dual import Answer, Dual, Part
from edgeplan.solvers.sparse_update.prices.prices import Prices

_FIRST_STEP, _SHORTER, _PATIENCE = 0.6, 0.8, 10
_SHORTEST = 0.01
_NEW = 0.2  # weight of the newest answer in the course
_NEW_IN_MEAN = 0.03
_MATTERS = 1e-3  # share of the gap that is progress


@dataclass(frozen=True)
class Descended:
    """Where a descent ended.

    Parameters
    ----------
    bound
        The lowest bound.
    prices
        That prove it.
    taken
        How much of every pool's groups (pools in rows) was taken, the last answers counting most.
    updated
        How much classes (rows) updated slices (columns), likewise.
    """

    bound: float
    prices: Prices
    taken: Array
    updated: Array


def descend(
    dual: Dual,
    part: Part,
    prices: Prices,
    *,
    target: float,
    steps: int,
    on_answer: Callable[[Answer], float],
    until: Callable[[], bool],
) -> Descended:
    """Lower the bound of a part until it falls to what a known plan has.

    Parameters
    ----------
    dual
        Evaluates prices.
    part
        The part of the search.
    prices
        To begin with.
    target
        Objective of the best plan known.
    steps
        Most steps.
    on_answer
        Gets every answer, and returns the objective of the best plan known by then.
    until
        Whether to stop.
    """
    best, kept, length, since = math.inf, prices, _FIRST_STEP, 0
    taken, updated, course = np.zeros_like(part.opened, float), np.zeros_like(prices.share), None
    for step in range(steps):
        answer = dual.answer(prices, part)
        target = max(target, on_answer(answer))
        since = 0 if step == 0 or answer.bound < best - _MATTERS * (best - target) else since + 1
        if answer.bound < best:
            best, kept = answer.bound, prices
        weight = max(1 / (step + 1), _NEW_IN_MEAN)
        taken = taken + weight * (_taken(answer, part) - taken)
        updated = updated + weight * (answer.updated - updated)
        if best <= target or until() or length < _SHORTEST:
            break
        if since >= _PATIENCE:
            length, since, prices, course = length * _SHORTER, 0, kept, None
            answer = dual.answer(prices, part)
        course = _Course.of(answer, part).after(course)
        prices = course.moved(part, prices, length * (answer.bound - target))
    return Descended(float(best), kept, taken, updated)


def _taken(answer: Answer, part: Part) -> Array:
    """Which groups (columns) of which pools (rows) any slice has."""
    taken = np.zeros_like(part.opened, float)
    pool = part.groups.pool
    paying = (answer.group >= 0) & (pool >= 0)
    taken[pool[paying], answer.group[paying]] = 1.0
    return taken


@dataclass(frozen=True)
class _Course:
    """Where prices move: shares rise where classes update too much, tolls where groups are taken."""

    excess: Array
    taken: Array

    @classmethod
    def of(cls, answer: Answer, part: Part) -> _Course:
        """Where one answer points."""
        pool, group = part.groups.pool, answer.group
        paying = np.flatnonzero((group >= 0) & (pool >= 0))
        paying = paying[~part.opened[pool[paying], group[paying]]]
        taken = np.zeros((len(pool), len(part.groups.fixed)))
        taken[paying, group[paying]] = 1.0
        return cls(answer.updated.astype(float) - answer.wanted, taken)

    def after(self, before: _Course | None) -> _Course:
        """Mix with the course before, so that moves do not go to and fro."""
        if before is None:
            return self
        mixed = (
            _NEW * new + (1 - _NEW) * old
            for new, old in ((self.excess, before.excess), (self.taken, before.taken))
        )
        return _Course(*mixed)

    def moved(self, part: Part, prices: Prices, distance: float) -> Prices:
        """Prices after a move by which the bound would fall by a distance were it straight."""
        count = part.scope.cluster.count
        norm = float((count @ self.excess**2).sum() + (self.taken**2).sum())
        if norm == 0:
            return prices
        length, groups = distance / norm, part.groups
        toll = prices.toll + length * self.taken
        for p in range(groups.num_pools):
            own = np.flatnonzero(groups.pool == p)
            above = np.flatnonzero(toll[own].sum(axis=0) > groups.fixed)
            toll[np.ix_(own, above)] = _projected(toll[np.ix_(own, above)], groups.fixed[above])
        return Prices(prices.share + length * self.excess, toll)


def _projected(points: Array, sums: Array) -> Array:
    """The nearest columns that are at least 0 and have these sums at most."""
    clipped = np.maximum(points, 0.0)
    falling = -np.sort(-clipped, axis=0)
    surplus = (np.cumsum(falling, axis=0) - sums) / np.arange(1, len(points) + 1)[:, None]
    last = np.maximum(np.count_nonzero(falling > surplus, axis=0) - 1, 0)
    level = np.maximum(surplus[last, np.arange(len(sums))], 0.0)
    return np.asarray(np.maximum(clipped - level, 0.0))
