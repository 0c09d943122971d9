"""Column generation: the master programme prices, classes and slices answer, and their answers are added."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from edgeplan.solvers.sparse_update.choices.cluster import Array
from edgeplan.solvers.sparse_update.master.columns import Columns
from edgeplan.solvers.sparse_update.master.programme import Programme, Solution
from edgeplan.solvers.sparse_update.prices.descent import Descended, descend
from edgeplan.solvers.sparse_update.prices.dual import Answer, Dual, Part, profits
from edgeplan.solvers.sparse_update.prices.groups import ListedGroups
from edgeplan.solvers.sparse_update.prices.prices import Prices

_NEW = 0.3  # weight of the newest prices where they are mixed with the best
_STEPS = 60  # of a descent in place of a programme that takes too long
_FEW_STEPS = 20  # of one that goes on where a programme's prices do not lower the bound
_FEW = 6  # groups of a slice to begin with
_DONE = 1e-3  # share of the gap within which a bound is as low as it gets


@dataclass
class Generation:
    """Lowers bounds by column generation; keeps all columns for the parts to come.

    Parameters
    ----------
    dual
        Evaluates prices.
    """

    dual: Dual
    columns: Columns = field(init=False)
    _useful: Array = field(init=False)

    def __post_init__(self) -> None:
        cluster = self.dual.cluster
        self.columns = Columns(cluster)
        self._useful = np.zeros((cluster.num_slices, 1 << cluster.num_classes), bool)

    def lower(
        self,
        part: Part,
        found: Descended,
        *,
        target: float,
        rounds: int,
        on_answer: Callable[[Answer], float],
        until: Callable[[], bool],
        time_limit_s: float,
    ) -> Descended:
        """Lower the bound of a part until it falls to what a known plan has, or no more can be had.

        Parameters
        ----------
        part
            The part of the search.
        found
            Prices to begin with, and a bound.
        target
            Objective of the best plan known, or what is close enough to it.
        rounds
            Most master programmes to solve.
        on_answer
            Gets every answer, and returns the objective of the best plan known by then.
        until
            Whether to stop.
        time_limit_s
            Of a master programme; where one takes longer, prices descend instead.
        """

        def ask(prices: Prices) -> Answer:
            nonlocal target
            answer = self.dual.answer(prices, part)
            target = max(target, on_answer(answer))
            return answer

        def descended(prices: Prices, steps: int) -> Descended:
            return descend(
                self.dual, part, prices, target=target, steps=steps, on_answer=on_answer, until=until
            )

        best = replace(found, bound=min(found.bound, ask(found.prices).bound))
        useful = self._begin(part, best.prices)
        for _ in range(rounds):
            if best.bound <= target or until():
                break
            solved = self._programme(part, useful).solve(time_limit_s)
            if solved is None:
                below = descended(best.prices, _STEPS)
                return replace(below, bound=min(best.bound, below.bound))
            prices, more = _with_slack(part, solved)
            useful |= more
            before = best = replace(best, updated=solved.updated, taken=solved.taken)
            mixed = _mixed(best.prices, prices)
            for asked in (mixed, prices):
                bound = ask(asked).bound
                if bound < best.bound:
                    best = replace(best, bound=bound, prices=asked)
            if best is before:
                below = descended(mixed, _FEW_STEPS)
                if below.bound < best.bound:
                    best = replace(best, bound=below.bound, prices=below.prices)
            if best.bound - solved.value <= _DONE * (best.bound - target):
                break
        self._keep(part, useful)
        return best

    def _programme(self, part: Part, useful: Array) -> Programme:
        cluster = self.dual.cluster
        penalty = 10.0 * float(np.abs(cluster.gain).max(initial=0.0) + part.groups.fixed.max())
        return Programme(part, self.columns.within(part.scope), useful, penalty)

    def _begin(self, part: Part, prices: Prices) -> Array:
        """Groups that bring slices most, and those that were useful before."""
        profit = profits(prices, part)
        few = min(_FEW, profit.shape[1]) - 1
        level = -np.partition(-profit, few, axis=1)[:, few]
        promising = (profit >= level[:, None]) & np.isfinite(profit)
        return np.asarray(promising | self._useful[:, _codes(part)])

    def _keep(self, part: Part, useful: Array) -> None:
        slices, groups = np.nonzero(useful)
        self._useful[slices, _codes(part)[groups]] = True


def _codes(part: Part) -> Array:
    assert isinstance(part.groups, ListedGroups)
    return part.groups.code


def _mixed(before: Prices, new: Prices) -> Prices:
    return Prices((1 - _NEW) * before.share + _NEW * new.share, (1 - _NEW) * before.toll + _NEW * new.toll)


def _with_slack(part: Part, solved: Solution) -> tuple[Prices, Array]:
    """Let groups take tolls that they have left from slices that would gain by them; say which those are."""
    prices, pool = solved.prices, part.groups.pool
    profit = profits(prices, part)
    level = solved.level
    excess = np.where(np.isfinite(profit), np.maximum(0.0, profit - level[:, None]), 0.0)
    toll = prices.toll.copy()
    for p in range(part.groups.num_pools):
        own = pool == p
        left = np.maximum(0.0, part.groups.fixed - toll[own].sum(axis=0))
        left[part.opened[p]] = 0.0
        wanted = excess[own].sum(axis=0)
        paid = excess[own] * np.minimum(1.0, left / np.maximum(wanted, 1e-300))
        toll[own] += paid
        excess[own] -= paid
    most = excess.max(axis=1, keepdims=True)
    more = (excess > 1e-9) & (excess >= 0.5 * most)
    return Prices(prices.share, toll), more
