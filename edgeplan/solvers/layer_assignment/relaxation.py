"""Lower bounds from shortest closed walks in which a node may serve twice.

Dropping "a node serves at most one stage" leaves a shortest closed walk over (position, sender
class), solved by dynamic programming: the walk is split by the class of its last node, which closes
the cycle exactly, and counts its stages up to ``min_nodes``. Lagrange multipliers on nodes that serve
too often, on missing samples and on the stage count above ``max_nodes`` raise the bound. Walks from
both ends give each step the cheapest plan through it, so steps that no better plan can take are
dropped with a proof.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.solvers.layer_assignment.arcs import Arcs
from edgeplan.solvers.layer_assignment.stage_table import Bools, Floats, Ints

ROUNDING = 1e-9  # relative; float sums of at most some hundred terms err by far less


_SAMPLE_SCALE = 4.0  # a walk misses samples by a fraction of the need, and nodes by whole visits


@dataclass(frozen=True)
class Dualised:
    """Limits that walks may break for a price: ``coefficients @ visits <= limits``.

    Parameters
    ----------
    coefficients
        What a stage on each node adds, shape [limits, nodes].
    limits
        Right-hand sides, shape [limits].
    """

    coefficients: Floats
    limits: Floats

    def per_stage(self, multipliers: Floats) -> Floats:
        """What a stage on each node pays, shape [nodes]."""
        return np.asarray(multipliers @ self.coefficients)

    def refund(self, multipliers: Floats) -> float:
        """What every plan that keeps the limits may pay at most."""
        return float(multipliers @ self.limits)

    def excess(self, visits: Floats) -> Floats:
        """How far visits per node, shape [nodes], break each limit."""
        return np.asarray(self.coefficients @ visits - self.limits)


class OutOfTimeError(Exception):
    """The relaxation's time is over."""


@dataclass(frozen=True)
class Ascent:
    """Where raising the bound ended.

    Parameters
    ----------
    multipliers
        The best multipliers, shape [limits].
    walk
        Their cheapest walk; None if no closed walk is left.
    closings
        Sender classes on which a plan at most as dear as the target may end.
    """

    multipliers: Floats
    walk: Walk | None
    closings: Ints


@dataclass(frozen=True)
class Walk:
    """A cheapest closed walk: its steps (run, node), the bound it proves, and a bound a closing class."""

    steps: tuple[tuple[int, int], ...]
    bound: float
    bound_by_closing: Floats


def _restricted(walk: Walk | None, closings: Ints, kept: Ints) -> Walk | None:
    """Restrict a walk's bounds to the closing classes that are left."""
    if walk is None:
        return None
    return Walk(walk.steps, walk.bound, walk.bound_by_closing[np.isin(closings, kept)])


@dataclass(frozen=True)
class Relaxation:
    """The walk relaxation of a table of steps.

    Parameters
    ----------
    arcs
        Steps and their costs.
    until
        Monotonic time after which every method gives up with `OutOfTimeError`.
    """

    arcs: Arcs
    until: float = math.inf

    @property
    def _n(self) -> int:
        return self.arcs.table.num_positions

    @property
    def _levels(self) -> int:
        """Stages that are counted, K; a count of K stands for K and more."""
        instance = self.arcs.table.problem.instance
        return min(max(instance.limits.min_nodes, 2 if self.arcs.is_peer else 1), self._n)

    @cached_property
    def _max_nodes(self) -> int:
        limit = self.arcs.table.problem.instance.limits.max_nodes
        return self._n if limit is None else min(limit, self._n)

    @cached_property
    def _dualised(self) -> Dualised:
        """A node once (2); at most ``max_nodes`` stages and at least ``min_samples`` samples (3)."""
        instance, num_nodes = self.arcs.table.problem.instance, self.arcs.num_nodes
        rows, limits = [np.eye(num_nodes)], [np.ones(num_nodes)]
        if self._max_nodes < self._n:
            rows.append(np.ones((1, num_nodes)))
            limits.append(np.array([float(self._max_nodes)]))
        if instance.limits.min_samples > 0:
            nodes = instance.network.nodes
            held = np.array([nodes[index].num_samples for index in self.arcs.table.nodes], dtype=float)
            rows.append(-_SAMPLE_SCALE * held[None, :] / instance.limits.min_samples)
            limits.append(np.array([-_SAMPLE_SCALE]))
        return Dualised(np.concatenate(rows), np.concatenate(limits))

    @cached_property
    def _membership(self) -> list[np.ndarray]:
        return [np.flatnonzero(self.arcs.class_of == c) for c in range(self.arcs.num_classes)]

    def no_multipliers(self) -> Floats:
        """Return multipliers of zero, shape [limits]."""
        return np.zeros(len(self._dualised.limits))

    def _cheapest_by_class(self, cost: Floats, multipliers: Floats) -> Floats:
        """Cheapest step between classes, shape [runs, classes, classes]."""
        paid = cost + self._dualised.per_stage(multipliers)
        return np.stack([paid[:, :, members].min(axis=2) for members in self._membership], axis=2)

    @cached_property
    def all_closings(self) -> Ints:
        """Every sender class that the last node may have."""
        return np.arange(self.arcs.num_classes)

    def guide(self) -> Floats:
        """Cheapest way from each state to the end on any last node, shape [n + 1, K + 1, classes]."""
        end = np.zeros((1, self.arcs.num_classes))
        return np.asarray(self._completion(self.no_multipliers(), end)[:, :, 0])

    def completion(self, multipliers: Floats, closings: Ints) -> Floats:
        """Cheapest way from each state to the end.

        Returns
        -------
        Floats
            Shape [n + 1, K + 1, closings, classes]: from position p after a node of a class, with at
            least so many stages still to come, ending on the closing class.
        """
        return self._completion(multipliers, self._at(closings))

    def _at(self, closings: Ints) -> Floats:
        """Zero where a class is the closing one, shape [closings, classes]."""
        return np.where(closings[:, None] == np.arange(self.arcs.num_classes), 0.0, math.inf)

    def _completion(self, multipliers: Floats, end: Floats) -> Floats:
        step = self._cheapest_by_class(self.arcs.cost, multipliers)
        n, levels = self._n, self._levels
        best = np.full((n + 1, levels + 1, *end.shape), math.inf)
        best[n, 0] = end
        fewer = np.maximum(np.arange(levels + 1) - 1, 0)
        for p in range(n - 1, -1, -1):
            self._check_time()
            rows = slice(self.arcs.table.run(p, p + 1), self.arcs.table.run(p, n) + 1)
            behind = best[p + 1 :][:, fewer]  # [q, level, closing, class]
            best[p] = (behind[:, :, :, None, :] + step[rows][:, None, None, :, :]).min(axis=(0, 4))
        return best

    def _check_time(self) -> None:
        if time.monotonic() > self.until:
            raise OutOfTimeError

    def arrival(self, multipliers: Floats, closings: Ints) -> Floats:
        """Cheapest way from the start to each state.

        Returns
        -------
        Floats
            Shape [n + 1, K + 1, closings, classes]: to position p after so many stages (K
            stands for K and more), when the first step got its parameters from the closing class.
        """
        step = self._cheapest_by_class(self.arcs.cost, multipliers)
        n, levels, start = self._n, self._levels, self._at(closings)
        best = np.full((n + 1, levels + 1, *start.shape), math.inf)
        best[0, 0] = start
        for q in range(1, n + 1):
            self._check_time()
            rows = [self.arcs.table.run(p, q) for p in range(q)]
            reached = (best[:q, :, :, :, None] + step[rows][:, None, None, :, :]).min(axis=(0, 3))
            best[q, 1:] = reached[:-1]
            best[q, levels] = np.minimum(best[q, levels], reached[levels])
        return best

    def walk(self, multipliers: Floats, closings: Ints) -> Walk | None:
        """Cheapest closed walk with more than one stage, or any with a server; None if there is none.

        Parameters
        ----------
        closings
            Sender classes that the last node may have.
        """
        if not len(closings):
            return None
        completion = self.completion(multipliers, closings)
        closed = completion[0, self._levels, np.arange(len(closings)), closings]
        cheapest = int(np.argmin(closed))
        if not math.isfinite(closed[cheapest]):
            return None
        steps = self._trace(completion[:, :, cheapest], int(closings[cheapest]), multipliers)
        refund = self._dualised.refund(multipliers)
        return Walk(steps, float(closed[cheapest]) - refund, closed - refund)

    def _trace(self, completion: Floats, closing: int, multipliers: Floats) -> tuple[tuple[int, int], ...]:
        """Follow the cheapest completion, shape [n + 1, K + 1, classes]."""
        steps, p, level, sender = [], 0, self._levels, closing
        pays = self._dualised.per_stage(multipliers)
        while p < self._n:
            rows = np.arange(self.arcs.table.run(p, p + 1), self.arcs.table.run(p, self._n) + 1)
            behind = completion[p + 1 :, max(level - 1, 0)][:, self.arcs.class_of]
            total = self.arcs.cost[rows, sender] + pays + behind
            place, node = np.unravel_index(int(np.argmin(total)), total.shape)
            steps.append((int(rows[place]), int(node)))
            p, level, sender = p + 1 + int(place), max(level - 1, 0), int(self.arcs.class_of[node])
        return tuple(steps)

    @cached_property
    def bottleneck_bound_s(self) -> float:
        """Smallest possible largest compute time, nodes reused freely; infinite if no run order fits."""
        compute = np.where(self.arcs.table.allowed, self.arcs.table.compute_s, math.inf).min(axis=1)
        best = [0.0] + [math.inf] * self._n
        for q in range(1, self._n + 1):
            best[q] = min(max(best[p], compute[self.arcs.table.run(p, q)]) for p in range(q))
        return best[-1]

    @property
    def bottleneck_weight(self) -> float:
        """Weight of the largest compute time in the objective."""
        return self.arcs.table.problem.instance.objective.bottleneck_s

    @property
    def bottleneck_cost(self) -> float:
        """Least cost of the largest compute time."""
        return self.bottleneck_weight * self.bottleneck_bound_s if self.bottleneck_weight > 0 else 0.0

    def bound(self, walk: Walk | None) -> float:
        """Proven bound on the objective of any plan, infinite when there is none."""
        walked = math.inf if walk is None else walk.bound
        alone = float(self.arcs.cost_alone.min(initial=math.inf))
        cheapest = min(walked, alone)
        if not math.isfinite(cheapest) or not math.isfinite(self.bottleneck_bound_s):
            return math.inf
        total = cheapest + self.bottleneck_cost
        return max(0.0, total - ROUNDING * abs(total))

    def first_bound(self) -> float:
        """Bound without multipliers."""
        return self.bound(self.walk(self.no_multipliers(), self.all_closings))

    def ascend(self, target: float, *, until: float = math.inf, max_steps: int = 200) -> Ascent:
        """Raise the bound by subgradient steps until `target`, or until time is over.

        Parameters
        ----------
        target
            Objective of the best plan known; finite. Closing classes that only dearer plans can have are
            dropped on the way, which makes later steps cheap.
        until
            Monotonic time at which to take what is reached; the first bound is computed all the same.

        Raises
        ------
        OutOfTimeError
            When time is over before a first bound.
        """
        multipliers, closings = self.no_multipliers(), self.all_closings
        walk = self.walk(multipliers, closings)
        best, scale, stalled = Ascent(multipliers, walk, closings), 1.0, 0
        for _ in range(max_steps):
            if walk is None or best.walk is None or scale < 1e-3 or time.monotonic() > until:
                break
            closings = closings[self._may_end(walk.bound_by_closing, target)]
            step = self._step(walk, multipliers, target)
            if step is None:
                break
            multipliers = np.maximum(0.0, multipliers + scale * step)
            try:
                walk = self.walk(multipliers, closings)
            except OutOfTimeError:
                break
            if walk is None or walk.bound > best.walk.bound + 1e-6 * abs(best.walk.bound):
                best, stalled = Ascent(multipliers, walk, closings), 0
            elif (stalled := stalled + 1) % 6 == 0:
                scale /= 2
                multipliers, walk = best.multipliers, _restricted(best.walk, best.closings, closings)
        return Ascent(best.multipliers, best.walk, closings)

    def _may_end(self, bounds: Floats, target: float) -> Bools:
        rest = self.bottleneck_cost
        return np.asarray(bounds + rest <= target + ROUNDING * (abs(target) + np.abs(bounds)))

    def _step(self, walk: Walk, multipliers: Floats, target: float) -> Floats | None:
        """Direction and length of the next step (Polyak); None where there is nothing to gain."""
        visits = np.bincount([node for _, node in walk.steps], minlength=self.arcs.num_nodes)
        excess = self._dualised.excess(visits.astype(float))
        norm = float((excess[(multipliers > 0) | (excess > 0)] ** 2).sum())
        distance = target - self.bottleneck_cost - walk.bound
        if norm == 0 or distance <= ROUNDING * abs(target):
            return None
        return np.asarray(distance / norm * excess)

    def useful_arcs(self, target: float, ascent: Ascent) -> Bools:
        """Steps through which a plan at most as dear as `target` may lead, shape [runs, classes, nodes].

        Everything else is excluded with a proof, so the best plan keeps all its steps.
        """
        multipliers, closings = ascent.multipliers, ascent.closings
        useful = np.zeros(self.arcs.allowed.shape, dtype=bool)
        if not len(closings):
            return useful
        arrival, completion = self.arrival(multipliers, closings), self.completion(multipliers, closings)
        refund, pays = self._dualised.refund(multipliers), self._dualised.per_stage(multipliers)
        slack = target + refund + ROUNDING * (abs(target) + abs(refund))
        compute = self.arcs.table.compute_s
        for row, (p, q) in enumerate(zip(self.arcs.table.run_starts, self.arcs.table.run_ends, strict=True)):
            self._check_time()
            through = self._through(arrival[p], completion[q])
            dearest = np.maximum(self.bottleneck_weight * compute[row], self.bottleneck_cost)
            total = through[:, self.arcs.class_of] + self.arcs.cost[row] + pays
            useful[row] = total + dearest <= slack
        return useful & self.arcs.allowed

    def _through(self, before: Floats, behind: Floats) -> Floats:
        """Cheapest rest of a plan around a step, shape [sender classes, classes]."""
        levels = self._levels
        rest = math.inf
        for level in range(levels + 1):
            missing = max(levels - level - 1, 0)
            # [closing, sender, 1] + [closing, 1, class]
            around = (before[level][:, :, None] + behind[missing][:, None, :]).min(axis=0)
            rest = np.minimum(rest, around)
        return np.asarray(rest)
