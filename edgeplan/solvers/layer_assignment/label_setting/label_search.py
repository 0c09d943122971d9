"""Label setting over positions: extend, bound, drop what is dominated, and read the best walk back."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from edgeplan.solvers.layer_assignment.bounds.walks import OutOfTimeError
from edgeplan.solvers.layer_assignment.label_setting.criteria import Steps
from edgeplan.solvers.layer_assignment.label_setting.labels import Counts, Labels, undominated
from edgeplan.solvers.layer_assignment.label_setting.states import States
from edgeplan.solvers.layer_assignment.label_setting.to_come import ToCome
from edgeplan.solvers.layer_assignment.label_setting.walk import Walk
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools, Floats, Ints

MAX_LABELS = 6_000_000  # held at once, about 40 bytes each
_BLOCK = 400_000  # steps extended at once
_ROUNDING = 1e-9


class TooManyLabelsError(Exception):
    """Dominance keeps more labels than asked for."""


Stages = tuple[tuple[int, int, int], ...]
"""Stages (start position, end position, type) in visiting order."""


@dataclass
class _Waiting:
    """Labels that end at one position: some without dominated ones among them, and new ones."""

    settled: list[Labels] = field(default_factory=list)
    new: list[Labels] = field(default_factory=list)
    num_settled: int = 0
    num_new: int = 0

    @property
    def is_due(self) -> bool:
        return self.num_new > max(_BLOCK, self.num_settled)

    def add(self, labels: Labels) -> None:
        self.new.append(labels)
        self.num_new += len(labels)

    def settle(self, states: States, width: int) -> Labels | None:
        """Drop dominated labels; return the others, None where there are none."""
        parts = [*self.settled, *self.new]
        if not parts:
            return None
        labels = Labels.joined(parts)
        kept = labels.take(undominated(states.key(labels), labels.criteria[:, :width]))
        self.settled, self.new, self.num_settled, self.num_new = [kept], [], len(kept), 0
        return kept


@dataclass(frozen=True)
class LabelSearch:
    """The dynamic programme of a walk for one closing.

    Parameters
    ----------
    to_come
        Steps, criteria, limits and bounds.
    closing
        Group of the first step's neighbour; in a round, that of the last node.
    below
        Only walks with a smaller objective are looked for.
    until
        Monotonic time at which to give up.
    width
        Most labels kept at a position, the most promising ones; None keeps all, so that no better walk
        than those found exists.
    most_labels
        Labels held at once beyond which to give up.
    """

    to_come: ToCome
    closing: int
    below: float
    until: float = math.inf
    width: int | None = None
    most_labels: int = MAX_LABELS

    @property
    def _walk(self) -> Walk:
        return self.to_come.walk

    @cached_property
    def _states(self) -> States:
        return States(self._walk)

    @cached_property
    def _least(self) -> Floats:
        return self.to_come.least(self.closing)

    @property
    def _width(self) -> int:
        """Numbers that decide dominance."""
        return len(self._walk.objective)

    def walks(self) -> Iterator[tuple[float, Stages]]:
        """Yield the undominated walks and their objectives, the best first.

        Raises
        ------
        OutOfTimeError
            When time runs out.
        TooManyLabelsError
            When there are more labels than asked for.
        """
        n = self._walk.num_positions
        course: list[Labels | None] = []
        waiting = [_Waiting() for _ in range(n + 1)]
        waiting[0].add(self._empty())
        for position in range(n):
            settled = waiting[position].settle(self._states, self._width)
            course.append(None if settled is None else self._narrowed(settled, position))
            self._extend(course, waiting, position)
        ended = waiting[n].settle(self._states, self._width)
        if ended is None:
            return
        ended = ended.take(np.flatnonzero(self._closes(ended)))
        objective = ended.criteria[:, : self._width] @ self._walk.objective
        for place in np.argsort(objective, kind="stable"):
            if objective[place] < self.below:
                yield float(objective[place]), self._read_back(course, ended, int(place))

    def _narrowed(self, labels: Labels, position: int) -> Labels:
        """Keep the most promising labels of a position."""
        if self.width is None or len(labels) <= self.width:
            return labels
        behind = self._least[position][self.to_come.level(labels.count), self._walk.groups[labels.last]]
        plain, priced = self._objectives(labels.criteria + behind)
        return labels.take(np.argpartition(np.maximum(plain, priced), self.width)[: self.width])

    def _objectives(self, numbers: Floats) -> tuple[Floats, Floats]:
        """Objective by the numbers alone, and with prices less their refund."""
        plain = numbers[..., : self._width]
        objective, prices = plain @ self._walk.objective, self.to_come.prices
        if prices is None:
            return objective, objective
        return objective, numbers[..., -1] + plain @ self._walk.bottleneck_coefficients - prices.refund

    def _empty(self) -> Labels:
        start = [number for criterion in self.to_come.criteria for number in criterion.start]
        return Labels(
            last=np.full(1, -1, dtype=np.int32),
            used=np.zeros((1, self._states.num_words), dtype=np.int64),
            count=np.zeros(1, dtype=np.int16),
            criteria=np.array([start]),
            origin=np.full(1, -1, dtype=np.int16),
            parent=np.full(1, -1, dtype=np.int32),
        )

    def _extend(self, course: list[Labels | None], waiting: list[_Waiting], position: int) -> None:
        """Send every label of a position on by every step that may lead to a better walk."""
        labels, (rows, _) = course[position], self.to_come.runs[position]
        kinds = np.flatnonzero(self.to_come.allowed[rows].any(axis=0))
        if labels is None or not len(kinds):
            return
        num_labels = max(1, _BLOCK // (len(rows) * len(kinds)))
        held = sum(len(part) for part in course if part is not None)
        for first in range(0, len(labels), num_labels):
            if time.monotonic() > self.until:
                raise OutOfTimeError
            block = labels.take(np.arange(first, min(first + num_labels, len(labels))))
            for end, part in self._successors(block, position, kinds):
                parents = (part.parent + first).astype(np.int32)
                waiting[end].add(dataclasses.replace(part, parent=parents))
                if waiting[end].is_due:
                    waiting[end].settle(self._states, self._width)
            ahead = sum(place.num_settled + place.num_new for place in waiting[position + 1 :])
            if held + ahead > self.most_labels:
                raise TooManyLabelsError

    def _successors(self, block: Labels, position: int, kinds: Ints) -> Iterator[tuple[int, Labels]]:
        """Yield the end and the labels of all steps from a block; parents are places in the block."""
        rows, ends = self.to_come.runs[position]
        groups = np.where(block.last < 0, self.closing, self._walk.groups[block.last])
        numbers = self._numbers_after(block, Steps(rows, groups, kinds))
        possible: Bools = self.to_come.allowed[np.ix_(rows, kinds)][:, None, :]
        possible = possible & self._states.may_serve(block)[:, kinds]
        possible &= self._within_counts(block.count + 1, ends, rows, kinds)
        if self._walk.is_round and position == 0:
            possible[ends == self._walk.num_positions] = False  # a stage alone gets nothing from itself
        level = self.to_come.level(block.count + 1)
        neighbours = self._walk.groups[kinds]
        possible &= self._promising(
            numbers + self._least[ends[:, None, None], level[:, None], neighbours[None, :]]
        )
        run, label, kind = np.nonzero(possible)
        cuts = np.searchsorted(run, np.arange(len(rows) + 1))
        for place in np.flatnonzero(np.diff(cuts)):
            some = slice(cuts[place], cuts[place + 1])
            chosen, parents = kinds[kind[some]], label[some]
            labels = Labels(
                last=chosen.astype(np.int32),
                used=block.used[parents] + self._states.use_of[chosen],
                count=block.count[parents] + np.int16(1),
                criteria=numbers[run[some], parents, kind[some]],
                origin=np.full(len(chosen), position, dtype=np.int16),
                parent=parents.astype(np.int32),
            )
            yield int(ends[place]), labels

    def _promising(self, at_least: Floats) -> Bools:
        """Whether what a walk costs at least is better than `below` and within the limits."""
        finite = np.asarray(np.isfinite(at_least).all(axis=-1))
        at_least = np.where(finite[..., None], at_least, 0.0)
        plain, priced = self._objectives(at_least)
        possible = finite & (plain < self.below) & (priced < self.below + self._slack)
        for limit in self._walk.limits:
            if not limit.at_end:
                possible &= at_least[..., : self._width] @ limit.coefficients <= limit.most
        return np.asarray(possible)

    @property
    def _slack(self) -> float:
        """What prices may be off by rounding."""
        prices = self.to_come.prices
        return 0.0 if prices is None else _ROUNDING * (abs(prices.refund) + abs(self.below))

    def _numbers_after(self, block: Labels, steps: Steps) -> Floats:
        """Numbers behind every step, shape [runs, labels, types, numbers]."""
        columns = self.to_come.columns
        with np.errstate(over="ignore", invalid="ignore"):
            parts = [
                criterion.after(block.criteria[:, columns[place] : columns[place + 1]], steps)
                for place, criterion in enumerate(self.to_come.criteria)
            ]
        return np.concatenate(parts, axis=-1)

    def _within_counts(self, count: Counts, ends: Ints, rows: Ints, kinds: Ints) -> Bools:
        """Whether the number of stages can still keep its limits, shape [runs, labels, types]."""
        least = self._walk.problem.instance.limits.min_nodes
        to_come = self._walk.num_positions - ends
        enough: Bools = (count[None, :] <= self._walk.most_stages) & (
            count[None, :] + to_come[:, None] >= least
        )
        if self._walk.tail_limits is None:
            return np.asarray(enough[:, :, None])
        most = self._walk.tail_limits[np.ix_(rows, kinds)][:, None, :]
        return np.asarray(enough[:, :, None] & (count[None, :, None] <= most))

    def _closes(self, labels: Labels) -> Bools:
        """Whether whole walks close, and keep what holds for whole walks."""
        kept = np.ones(len(labels), dtype=bool)
        if self._walk.is_round:
            kept &= self._walk.groups[labels.last] == self.closing
        for limit in self._walk.limits:
            kept &= labels.criteria[:, : self._width] @ limit.coefficients <= limit.most
        return kept

    def _read_back(self, course: list[Labels | None], labels: Labels, place: int) -> Stages:
        stages, end, n = [], self._walk.num_positions, self._walk.num_positions
        while end > 0:
            start, kind = int(labels.origin[place]), int(labels.last[place])
            stages.append((start, end, kind))
            place, end = int(labels.parent[place]), start
            parents = course[start]
            assert parents is not None
            labels = parents
        if self._walk.problem.is_pipeline:
            return tuple((n - end, n - start, kind) for start, end, kind in stages)
        return tuple(reversed(stages))
