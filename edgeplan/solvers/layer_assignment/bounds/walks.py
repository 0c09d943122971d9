"""Cheapest walks over the steps, in which a node may serve twice, by dynamic programming.

A state is a position, the sender class of the node that ended there, and how many stages are still to
come: exactly, up to K, which stands for K and more. So walks keep ``min_nodes``, and a stage that only
fits near the end (equation (9), 1f1b) is only taken there. The class from which the first step came is
fixed for each walk, which closes a cycle exactly.

Only allowed steps are held, one after another; steps of one run between the same classes are a group, of
which the cheapest counts.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.solvers.layer_assignment.steps.arcs import Arcs
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools, Floats, Ints

_MOST_WORK = 100_000_000  # additions of one pass; beyond it, stages to come are counted less far


class OutOfTimeError(Exception):
    """The time for walks is over."""


@dataclass(frozen=True)
class _Places:
    """Groups in an order in which those of one state stand together."""

    order: Ints
    of_position: list[slice]
    firsts: list[Ints]
    classes: list[Ints]

    @classmethod
    def of(cls, positions: Ints, classes: Ints, count: int) -> _Places:
        """Order by position, then class; `count` positions."""
        order = np.lexsort((classes, positions))
        bounds = np.searchsorted(positions[order], np.arange(count + 1)).tolist()
        of_position = [slice(bounds[p], bounds[p + 1]) for p in range(count)]
        found = [np.unique(classes[order[place]], return_index=True) for place in of_position]
        return cls(order, of_position, [firsts for _, firsts in found], [kinds for kinds, _ in found])


@dataclass(frozen=True)
class Walks:
    """Cheapest walks from both ends; positions, classes, stages to come and walks are axes in this order.

    Parameters
    ----------
    arcs
        Steps.
    cost
        Cost of each step, infinite where it is not allowed, shape [runs, classes, nodes].
    until
        Monotonic time after which every method gives up with `OutOfTimeError`.
    """

    arcs: Arcs
    cost: Floats
    until: float = math.inf

    @property
    def _n(self) -> int:
        return self.arcs.table.num_positions

    @cached_property
    def steps(self) -> tuple[Ints, Ints, Ints]:
        """Run, sender class and node of each allowed step, group by group, shape [steps]."""
        rows, senders, columns = np.nonzero(np.isfinite(self.cost))
        count = self.arcs.num_classes
        order = np.argsort((rows * count + senders) * count + self.arcs.class_of[columns], kind="stable")
        return rows[order], senders[order], columns[order]

    @cached_property
    def _group_firsts(self) -> Ints:
        """First step of each group, shape [groups]."""
        rows, senders, columns = self.steps
        keys = np.stack([rows, senders, self.arcs.class_of[columns]])
        new = np.ones(len(rows), dtype=bool)
        new[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
        return np.flatnonzero(new)

    @cached_property
    def _groups(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Start, end, sender class and class of each group, shape [groups]."""
        rows, senders, columns = (part[self._group_firsts] for part in self.steps)
        table = self.arcs.table
        return table.run_starts[rows], table.run_ends[rows], senders, self.arcs.class_of[columns]

    @cached_property
    def _leaving(self) -> _Places:
        starts, _, senders, _ = self._groups
        return _Places.of(starts, senders, self._n)

    @cached_property
    def _arriving(self) -> _Places:
        _, ends, _, classes = self._groups
        return _Places.of(ends, classes, self._n + 1)

    @cached_property
    def levels(self) -> int:
        """Stages to come that are counted, K."""
        fewest = min(self.arcs.table.problem.instance.limits.min_nodes, self._n)
        limits = self._tail_limits
        if limits is None:
            return fewest
        wanted = max(fewest, min(int(limits[limits < self._n].max(initial=0)) + 1, self._n))
        work = len(limits) * wanted * len(self.arcs.first_senders)
        return wanted if work <= _MOST_WORK else fewest

    @property
    def fewest(self) -> int:
        """Least number of stages of a walk, K for more."""
        return min(self.arcs.table.problem.instance.limits.min_nodes, self.levels)

    @cached_property
    def _tail_limits(self) -> Ints | None:
        """Most stages from a step to the end, shape [steps]; None where nothing limits them."""
        limits, (rows, _, columns) = self.arcs.table.tail_limits, self.steps
        return None if limits is None else limits[rows, columns]

    @cached_property
    def _too_early(self) -> Bools | None:
        """Whether a step may not have so many stages to come, shape [steps, K]; None without limits."""
        if self._tail_limits is None:
            return None
        return np.asarray(self._tail_limits[:, None] < np.arange(1, self.levels + 1))

    @cached_property
    def costs(self) -> Floats:
        """Cost of each step, shape [steps]."""
        return self.cost[self.steps]

    def paid(self, pays: Floats) -> Floats:
        """Cost of each step with what its node pays, shape [steps]."""
        return np.asarray(self.costs + pays[self.steps[2]])

    def _group_costs(self, pays: Floats) -> Floats:
        """Cheapest step of each group at each level, shape [groups, K or 1]."""
        paid = self.paid(pays)[:, None]
        if self._too_early is not None:
            paid = np.where(self._too_early, math.inf, paid)
        if len(self._group_firsts) == len(paid):
            return paid
        return np.asarray(np.minimum.reduceat(paid, self._group_firsts, axis=0))

    def _check_time(self) -> None:
        if time.monotonic() > self.until:
            raise OutOfTimeError

    @staticmethod
    def _behind(completion: Floats) -> Floats:
        """Completion after a step at each level from 1 on; behind K come K - 1 or more stages."""
        behind = completion[..., :-1, :].copy()
        behind[..., -1, :] = np.minimum(completion[..., -2, :], completion[..., -1, :])
        return behind

    def completion(self, pays: Floats, endings: Floats) -> Floats:
        """Cheapest way from each state to the end.

        Parameters
        ----------
        pays
            What a stage on each node pays besides its cost, shape [nodes].
        endings
            Zero where a walk may end on a class, else infinite, shape [walks, classes].

        Returns
        -------
        Floats
            Shape [n + 1, classes, K + 1, walks].
        """
        step, places = self._group_costs(pays), self._leaving
        _, ends, _, classes = self._groups
        best = np.full((self._n + 1, self.arcs.num_classes, self.levels + 1, len(endings)), math.inf)
        best[self._n, :, 0] = endings.T
        behind = np.empty((self._n + 1, self.arcs.num_classes, self.levels, len(endings)))
        behind[self._n] = self._behind(best[self._n])
        for p in range(self._n - 1, -1, -1):
            self._check_time()
            here = places.order[places.of_position[p]]
            if len(here):
                ways = step[here, :, None] + behind[ends[here], classes[here]]
                best[p, places.classes[p], 1:] = np.minimum.reduceat(ways, places.firsts[p], axis=0)
            behind[p] = self._behind(best[p])
        return best

    def arrival(self, pays: Floats, first_senders: Ints) -> Floats:
        """Cheapest way from the start to each state, by the class that the first step comes from.

        Returns
        -------
        Floats
            Shape [n + 1, classes, K + 1, first senders].
        """
        step, places = self._group_costs(pays), self._arriving
        starts, _, senders, _ = self._groups
        count = len(first_senders)
        best = np.full((self._n + 1, self.arcs.num_classes, self.levels + 1, count), math.inf)
        best[0, first_senders, self.fewest :, np.arange(count)] = 0.0
        for q in range(1, self._n + 1):
            self._check_time()
            here = places.order[places.of_position[q]]
            if len(here):
                ways = step[here, :, None] + best[starts[here], senders[here], 1:]
                best[q, places.classes[q], :-1] = np.minimum.reduceat(ways, places.firsts[q], axis=0)
                best[q, :, -1] = best[q, :, -2]
        return best

    def least(self, completion: Floats, first_senders: Ints) -> Floats:
        """Least cost of a whole walk by the class of the first step, shape [walks]."""
        walks = np.arange(len(first_senders))
        return np.asarray(completion[0, first_senders, self.fewest :, walks].min(axis=1))

    def trace(self, completion: Floats, first_sender: int, pays: Floats) -> tuple[tuple[int, int], ...]:
        """Follow the cheapest completion, shape [n + 1, classes, K + 1]; return (row, node) of each step."""
        behind = self._behind(completion[..., None])[..., 0]
        level = self.fewest + int(np.argmin(completion[0, first_sender, self.fewest :]))
        walk, p, sender = [], 0, first_sender
        while p < self._n:
            row, node = self._next(behind, pays, p, sender, level)
            walk.append((row, node))
            p, sender = int(self.arcs.table.run_ends[row]), int(self.arcs.class_of[node])
            if level < self.levels or completion[p, sender, -2] <= completion[p, sender, -1]:
                level -= 1
        return tuple(walk)

    def _next(self, behind: Floats, pays: Floats, p: int, sender: int, level: int) -> tuple[int, int]:
        """Cheapest step from a state."""
        table, (rows, senders, columns) = self.arcs.table, self.steps
        first = np.searchsorted(rows, table.run(p, p + 1))
        last = np.searchsorted(rows, table.run(p, self._n), side="right")
        here = np.arange(first, last)[senders[first:last] == sender]
        if self._too_early is not None:
            here = here[~self._too_early[here, level - 1]]
        classes = self.arcs.class_of[columns[here]]
        total = self.paid(pays)[here] + behind[table.run_ends[rows[here]], classes, level - 1]
        step = here[int(np.argmin(total))]
        return int(rows[step]), int(columns[step])

    def through(self, arrival: Floats, completion: Floats) -> Floats:
        """Least cost of a walk through each step, that of the step and what it pays left out.

        Parameters
        ----------
        arrival, completion
            Over the same walks.

        Returns
        -------
        Floats
            Shape [steps].
        """
        starts, ends, senders, classes = self._groups
        behind = self._behind(completion)
        around = np.empty((len(starts), self.levels))
        for place in self._leaving.of_position:
            self._check_time()
            here = self._leaving.order[place]
            ways = arrival[starts[here], senders[here], 1:] + behind[ends[here], classes[here]]
            around[here] = ways.min(axis=2)
        sizes = np.diff(np.append(self._group_firsts, len(self.steps[0])))
        of_step = np.repeat(around, sizes, axis=0)
        if self._too_early is not None:
            of_step = np.where(self._too_early, math.inf, of_step)
        return np.asarray(of_step.min(axis=1))
