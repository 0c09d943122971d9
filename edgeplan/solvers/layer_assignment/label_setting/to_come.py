"""What a label must still pay at least: cheapest ways to the end in which a node may serve twice.

Prices on nodes make that bound sharp: a label has paid for the nodes it has used, so ways that use them
again look dear. Whatever the prices, a plan uses a node once and gets the refund, so the bound holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.solvers.layer_assignment.label_setting.criteria import Amounts, Criterion, Steps, Sum
from edgeplan.solvers.layer_assignment.label_setting.labels import Counts
from edgeplan.solvers.layer_assignment.label_setting.walk import Walk
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools, Floats, Ints


@dataclass(frozen=True)
class Prices:
    """What a stage pays for its node, shape [types], and what every plan gets back at least."""

    per_stage: Floats
    refund: float


@dataclass(frozen=True)
class ToCome:
    """Least additions of the ways to the end.

    Parameters
    ----------
    walk
        Steps and limits.
    allowed
        Steps to look at, shape [runs, types].
    prices
        Prices on nodes; None is no price.
    """

    walk: Walk
    allowed: Bools
    prices: Prices | None = None

    @cached_property
    def criteria(self) -> tuple[Criterion, ...]:
        """What labels carry; the last is the objective with prices, which only bounds."""
        if self.prices is None:
            return self.walk.criteria
        return (*self.walk.criteria, Sum(self._priced(self.walk.objective_amounts, self.prices)))

    @staticmethod
    def _priced(amounts: Amounts, prices: Prices) -> Amounts:
        return Amounts(amounts.own + prices.per_stage, amounts.latency, amounts.per_bit, amounts.bits)

    @cached_property
    def columns(self) -> list[int]:
        """Place of each criterion's first number."""
        widths = [len(criterion.start) for criterion in self.criteria]
        return [sum(widths[:place]) for place in range(len(widths) + 1)]

    @cached_property
    def runs(self) -> list[tuple[Ints, Ints]]:
        """Rows and ends of the runs from each position that some type may serve."""
        found = []
        for position in range(self.walk.num_positions):
            rows = self.walk.rows_from(position)
            useful = np.flatnonzero(self.allowed[rows].any(axis=1))
            found.append((rows[useful], position + 1 + useful))
        return found

    @cached_property
    def levels(self) -> int:
        """Stages that are told apart as still missing from ``min_nodes``."""
        least = self.walk.problem.instance.limits.min_nodes
        return min(least, self.walk.num_positions) if least > 1 else 0

    def level(self, count: Counts) -> Ints:
        """Stages that are missing behind so many."""
        return np.maximum(self.levels - count.astype(np.int64), 0)

    @property
    def _num_groups(self) -> int:
        return int(self.walk.costs.time_s.latency.shape[0])

    @cached_property
    def _cheapest(self) -> dict[int, list[Floats]]:
        """By criterion that adds and position, the least addition of a step, [runs, groups, groups]."""
        return {
            place: [self._cheapest_from(position, criterion.additive) for position in range(len(self.runs))]
            for place, criterion in enumerate(self.criteria)
            if criterion.additive is not None
        }

    def _cheapest_from(self, position: int, additive: Amounts) -> Floats:
        rows, _ = self.runs[position]
        groups = np.arange(self._num_groups)
        amounts = additive.of(Steps(rows, groups, np.arange(len(self.walk.types))))
        amounts = np.where(self.allowed[rows][:, None, :], amounts, math.inf)
        least = np.full((len(rows), len(groups), len(groups)), math.inf)
        for kind, group in enumerate(self.walk.groups):
            least[:, :, group] = np.minimum(least[:, :, group], amounts[:, :, kind])
        return least

    def least(self, closing: int) -> Floats:
        """Least that is still to be added, by what is behind.

        Returns
        -------
        Floats
            Shape [positions, missing stages, groups, numbers]; infinite where no way leads to the end.
        """
        n, levels = self.walk.num_positions, self.levels
        least = np.zeros((n + 1, levels + 1, self._num_groups, self.columns[-1]))
        fewer = np.maximum(np.arange(levels + 1) - 1, 0)
        for place, steps in self._cheapest.items():
            column = least[..., self.columns[place]]
            column[n, 1:] = math.inf
            if self.walk.is_round:
                column[n, 0] = np.where(np.arange(self._num_groups) == closing, 0.0, math.inf)
            for p in range(n - 1, -1, -1):
                _, ends = self.runs[p]
                behind = column[ends][:, fewer, None, :]
                column[p] = (steps[p][:, None] + behind).min(axis=(0, 3), initial=math.inf)
        return least

    def bound(self, closing: int) -> float:
        """Least objective of a walk with this closing, as far as sums tell."""
        least = self.least(closing)[0, self.levels, closing]
        if not np.isfinite(least).all():
            return math.inf
        plain = float(least[: len(self.walk.objective)] @ self.walk.objective)
        return plain if self.prices is None else max(plain, float(least[-1]) - self.prices.refund)
