"""Lower bounds from cheapest walks in which a node may serve twice.

Dropping "a node serves at most one stage" leaves a cheapest walk over (position, sender class), see
`Walks`. Lagrange multipliers on nodes that serve too often, on missing samples and on the stage count
above ``max_nodes`` raise its cost to a bound. Walks from both ends give each step the cheapest plan
through it, so steps that no better plan can take are dropped with a proof.

The bottleneck is no sum over steps. It is kept by looking only at plans whose bottleneck lies in a
span: steps above it are left out, and the bottleneck costs as much as its least value.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.solvers.layer_assignment.bounds.dualised import Dualised
from edgeplan.solvers.layer_assignment.bounds.prices import MOST_STEPS, linear_prices, sparing_prices
from edgeplan.solvers.layer_assignment.bounds.walks import OutOfTimeError, Walks
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools, Floats, Ints

ROUNDING = 1e-9  # relative; float sums of at most some hundred terms err by far less
_BEYOND = 1e-6  # relative; the bound is to pass the target clearly
_PATIENCE = 6  # steps without a gain before a shorter step from the best multipliers, in the second half


@dataclass(frozen=True)
class Span:
    """Values of the bottleneck, from `least_s` to `most_s` (s)."""

    least_s: float = 0.0
    most_s: float = math.inf


@dataclass(frozen=True)
class Walk:
    """A cheapest walk: its steps (run, node), the bound it proves, and a bound a first sender."""

    steps: tuple[tuple[int, int], ...]
    bound: float
    bound_by_sender: Floats


@dataclass(frozen=True)
class Ascent:
    """Where raising the bound ended.

    Parameters
    ----------
    multipliers
        The best multipliers, shape [limits].
    walk
        Their cheapest walk; None if there is none.
    senders
        Sender classes from which a plan at most as dear as the target may begin.
    """

    multipliers: Floats
    walk: Walk | None
    senders: Ints


def _restricted(walk: Walk | None, senders: Ints, kept: Ints) -> Walk | None:
    """Restrict a walk's bounds to the first senders that are left."""
    if walk is None:
        return None
    return Walk(walk.steps, walk.bound, walk.bound_by_sender[np.isin(senders, kept)])


@dataclass(frozen=True)
class Relaxation:
    """The walk relaxation of a table of steps.

    Parameters
    ----------
    arcs
        Steps and their costs.
    until
        Monotonic time after which every method gives up with `OutOfTimeError`.
    span
        Which plans it is about; all by default.
    kept
        Steps that may matter, shape [runs, classes, nodes]; all by default.
    """

    arcs: Arcs
    until: float = math.inf
    span: Span = Span()
    kept: Bools | None = None

    @cached_property
    def cost(self) -> Floats:
        """Cost of each step that a plan of the span may take, infinite for the others."""
        cost = self.arcs.cost
        if self.kept is not None:
            cost = np.where(self.kept, cost, math.inf)
        if self._peak_weight > 0 and self.span.most_s < math.inf:
            cost = np.where(self.arcs.peak_s <= self.span.most_s, cost, math.inf)
        return cost

    @cached_property
    def _walks(self) -> Walks:
        return Walks(self.arcs, self.cost, self.until)

    @cached_property
    def _dualised(self) -> Dualised:
        return Dualised.of(self.arcs)

    def no_multipliers(self) -> Floats:
        """Return multipliers of zero, shape [limits]."""
        return self._dualised.free()

    def guide(self, multipliers: Floats) -> Floats:
        """Cheapest way from each state to the end on any node, with so many stages to come, K for more.

        Returns
        -------
        Floats
            Shape [n + 1, classes, K + 1].
        """
        any_end = np.zeros((1, self.arcs.num_classes))
        return self._walks.completion(self.per_stage(multipliers), any_end)[..., 0]

    @property
    def first_levels(self) -> range:
        """Numbers of stages that a plan may have, K for more."""
        return range(self._walks.fewest, self._walks.levels + 1)

    def sparing(self) -> list[Floats]:
        """Return multipliers that make walks spare nodes, each of shape [limits]."""
        rest = self.no_multipliers()[self.arcs.num_nodes :]
        return [np.append(prices, rest) for prices in sparing_prices(self._walks)]

    def per_stage(self, multipliers: Floats) -> Floats:
        """What a stage on each node pays, shape [nodes]."""
        return self._dualised.per_stage(multipliers)

    def walk(self, multipliers: Floats, senders: Ints) -> Walk | None:
        """Cheapest walk whose first step comes from one of these sender classes; None without any."""
        if not len(senders):
            return None
        pays = self.per_stage(multipliers)
        completion = self._walks.completion(pays, self.arcs.endings[senders])
        closed = self._walks.least(completion, senders)
        cheapest = int(np.argmin(closed))
        if not math.isfinite(closed[cheapest]):
            return None
        steps = self._walks.trace(completion[..., cheapest], int(senders[cheapest]), pays)
        refund = self._dualised.refund(multipliers)
        return Walk(steps, float(closed[cheapest]) - refund, closed - refund)

    @cached_property
    def bottleneck_bound_s(self) -> float:
        """Smallest possible bottleneck within the span, nodes reused freely; infinite without a plan."""
        peak = np.where(np.isfinite(self.cost), self.arcs.peak_s, math.inf).min(axis=(1, 2))
        n, run = self.arcs.table.num_positions, self.arcs.table.run
        best = [0.0] + [math.inf] * n
        for q in range(1, n + 1):
            best[q] = min(max(best[p], float(peak[run(p, q)])) for p in range(q))
        return max(best[-1], self.span.least_s)

    @property
    def _peak_weight(self) -> float:
        return self.arcs.peak_weight

    @property
    def bottleneck_cost(self) -> float:
        """Least cost of the bottleneck."""
        return self._peak_weight * self.bottleneck_bound_s if self._peak_weight > 0 else 0.0

    def bound(self, walk: Walk | None) -> float:
        """Proven bound on the objective of any plan of the span, infinite when there is none."""
        if walk is None or not math.isfinite(self.bottleneck_cost):
            return math.inf
        total = walk.bound + self.bottleneck_cost
        return max(0.0, total - ROUNDING * abs(total))

    def first_bound(self) -> float:
        """Bound without multipliers."""
        return self.bound(self.walk(self.no_multipliers(), self.arcs.first_senders))

    def ascend(
        self,
        target: float,
        *,
        until: float = math.inf,
        max_steps: int = 200,
        multipliers: Floats | None = None,
        senders: Ints | None = None,
    ) -> Ascent:
        """Raise the bound by subgradient steps until `target`, or until time is over.

        Parameters
        ----------
        target
            Objective of the best plan known; finite. First senders that only dearer plans can have are
            dropped on the way, which makes later steps cheap.
        until
            Monotonic time at which to take what is reached; the first bound is computed all the same.
        max_steps
            Most steps.
        multipliers
            Where to begin; zero by default.
        senders
            First senders of the plans that it is about; all by default.

        Raises
        ------
        OutOfTimeError
            When time is over before a first bound.
        """
        multipliers = self.no_multipliers() if multipliers is None else multipliers
        senders = self.arcs.first_senders if senders is None else senders
        walk = self.walk(multipliers, senders)
        best, scale, stalled = Ascent(multipliers, walk, senders), 1.0, 0
        for count in range(max_steps):
            if walk is None or best.walk is None or scale < 1e-3 or time.monotonic() > until:
                break
            senders = senders[self._may_begin(walk.bound_by_sender, target)]
            step = self._step(walk, multipliers, target)
            if step is None:
                break
            multipliers = np.maximum(0.0, multipliers + scale * step)
            try:
                walk = self.walk(multipliers, senders)
            except OutOfTimeError:
                break
            if walk is None or walk.bound > best.walk.bound + 1e-6 * abs(best.walk.bound):
                best, stalled = Ascent(multipliers, walk, senders), 0
            elif (stalled := stalled + 1) % _PATIENCE == 0 and count >= max_steps // 2:
                scale /= 2
                multipliers, walk = best.multipliers, _restricted(best.walk, best.senders, senders)
        return Ascent(best.multipliers, best.walk, senders)

    @property
    def is_small(self) -> bool:
        """Whether `priced` finds the best multipliers, not only good ones."""
        return len(self._walks.steps[0]) <= MOST_STEPS

    def priced(self, target: float, *, until: float) -> Ascent | None:
        """Take multipliers from a linear programme; None where it is too large or unsolved.

        Parameters
        ----------
        target
            Objective of the best plan known; finite.
        until
            Monotonic time at which to give up.
        """
        multipliers = linear_prices(self._walks, self._dualised, target, until=until)
        if multipliers is None:
            return None
        senders = self.arcs.first_senders
        walk = self.walk(multipliers, senders)
        kept = senders if walk is None else senders[self._may_begin(walk.bound_by_sender, target)]
        return Ascent(multipliers, walk, kept)

    def _may_begin(self, bounds: Floats, target: float) -> Bools:
        rest = self.bottleneck_cost
        return np.asarray(bounds + rest <= target + ROUNDING * (abs(target) + np.abs(bounds)))

    def _step(self, walk: Walk, multipliers: Floats, target: float) -> Floats | None:
        """Direction and length of the next step (Polyak); None where there is nothing to gain."""
        visits = np.bincount([node for _, node in walk.steps], minlength=self.arcs.num_nodes)
        excess = self._dualised.excess(visits.astype(float))
        norm = float((excess[(multipliers > 0) | (excess > 0)] ** 2).sum())
        distance = target * (1 + _BEYOND) - self.bottleneck_cost - walk.bound
        if norm == 0 or distance <= ROUNDING * abs(target):
            return None
        return np.asarray(distance / norm * excess)

    def useful_arcs(self, target: float, ascent: Ascent) -> Bools:
        """Steps through which a plan of the span at most as dear as `target` may lead.

        Everything else is excluded with a proof, so the best plan keeps all its steps. Shape [runs,
        classes, nodes].
        """
        useful = np.zeros(self.arcs.allowed.shape, dtype=bool)
        if not len(ascent.senders) or not math.isfinite(self.bottleneck_cost):
            return useful
        pays, steps = self.per_stage(ascent.multipliers), self._walks.steps
        completion = self._walks.completion(pays, self.arcs.endings[ascent.senders])
        arrival = self._walks.arrival(pays, ascent.senders)
        total = self._walks.through(arrival, completion) + self._walks.paid(pays)
        if self._peak_weight > 0:
            total += np.maximum(self._peak_weight * self.arcs.peak_s[steps], self.bottleneck_cost)
        refund = self._dualised.refund(ascent.multipliers)
        slack = target + refund + ROUNDING * (abs(target) + abs(refund) + self.bottleneck_cost)
        useful[steps] = total <= slack
        return useful
