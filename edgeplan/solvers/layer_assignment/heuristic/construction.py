"""Construction: beam search over positions, guided by the relaxation's cheapest completion."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from edgeplan.solvers.layer_assignment.bounds.relaxation import Relaxation
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs, Route
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools, Floats, Ints

_NARROWEST = 3  # partial plans kept with each number of stages to come, where that is counted
_LIMIT = 3  # times the width: partial plans held at a position before the worst are dropped


@dataclass(frozen=True, order=True)
class _Partial:
    """A plan of the first positions; `estimate` adds the cheapest completion to what it costs."""

    estimate: float
    cost: float = field(compare=False)
    peak_s: float = field(compare=False)
    route: Route
    free: Bools = field(compare=False, repr=False)

    @property
    def state(self) -> tuple[frozenset[int], int]:
        """What decides how it can go on: nodes used, last node."""
        columns = [column for _, _, column in self.route]
        return frozenset(columns), columns[-1] if columns else -1

    def serve(self, stage: tuple[int, int, int], cost: float, peak_s: float, estimate: float) -> _Partial:
        """Append a stage."""
        free = self.free.copy()
        free[stage[2]] = False
        return _Partial(estimate, cost, peak_s, (*self.route, stage), free)


class _State:
    """The best partial plans that end at one position, with so many stages to come."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._partials: list[_Partial] = []
        self.worst = math.inf

    def add(self, partial: _Partial) -> None:
        self._partials.append(partial)
        if len(self._partials) >= _LIMIT * self._width:
            self._partials = self.best()
            if len(self._partials) == self._width:
                self.worst = self._partials[-1].estimate

    def best(self) -> list[_Partial]:
        """Cheapest partial plans, one for each set of used nodes and last node."""
        kept: dict[tuple[frozenset[int], int], _Partial] = {}
        for partial in sorted(self._partials):
            kept.setdefault(partial.state, partial)
            if len(kept) >= self._width:
                break
        return list(kept.values())


@dataclass(frozen=True)
class BeamSearch:
    """Builds routes position by position.

    The first step's transfer is paid when the last node is known.

    Parameters
    ----------
    arcs
        Steps and costs.
    relaxation
        The walk relaxation that guides the search.
    width
        Partial plans kept at a position.
    multipliers
        What nodes pay for being used, as the relaxation found it.
    """

    arcs: Arcs
    relaxation: Relaxation
    width: int
    multipliers: Floats

    def routes(self, *, until: float = math.inf) -> list[Route]:
        """Return complete routes, cheapest by estimate first.

        Parameters
        ----------
        until
            Monotonic time at which to give up; then, as where no route is found, the list may be empty.
        """
        n, guide = self.arcs.table.num_positions, self.relaxation.guide(self.multipliers)
        most = guide.shape[2] - 1
        width = max(min(self.width, _NARROWEST), math.ceil(self.width / math.sqrt(most)))
        states = [[_State(width) for _ in range(most + 1)] for _ in range(n + 1)]
        for level in self.relaxation.first_levels:
            states[0][level].add(_Partial(0.0, 0.0, 0.0, (), np.ones(self.arcs.num_nodes, dtype=bool)))
        for p in range(n):
            if time.monotonic() > until:
                break
            for level in range(1, most + 1):
                self._extend(states[p][level].best(), p, level, guide, states)
        whole = np.flatnonzero(self.arcs.allowed[self.arcs.table.whole_run].any(axis=0))
        return [partial.route for partial in states[n][0].best()] + [((0, n, int(c)),) for c in whole]

    def _extend(
        self, partials: list[_Partial], p: int, level: int, guide: Floats, states: list[list[_State]]
    ) -> None:
        """Append every useful stage from position `p` to the partial plans that end there."""
        if not partials:
            return
        n, most = len(states) - 1, guide.shape[2] - 1
        rows = np.arange(self.arcs.table.run(p, p + 1), self.arcs.table.run(p, n) + 1)
        steps = [self._steps(partial, rows, level) for partial in partials]
        cost, peak_s = (np.stack(figures, axis=1) for figures in zip(*steps, strict=True))
        known = cost + self.arcs.peak_weight * np.maximum(peak_s, self._least_peak_s)
        for left in {level - 1, level} if level == most else {level - 1}:
            estimate = known + guide[p + 1 :, self.arcs.class_of, left][:, None]
            for place, q in enumerate(range(p + 1, n + 1)):
                for k, column in self._cheapest(estimate[place], states[q][left].worst):
                    figures = (float(array[place, k, column]) for array in (cost, peak_s, estimate))
                    states[q][left].add(partials[k].serve((p, q, column), *figures))

    def _steps(self, partial: _Partial, rows: Ints, level: int) -> tuple[Floats, Floats]:
        """Cost without the bottleneck, and the bottleneck, with one more stage, both [runs, nodes]."""
        senders = slice(None)
        if partial.route:
            sender = int(self.arcs.class_of[partial.route[-1][2]])
            senders = slice(sender, sender + 1)
        possible = partial.free & self._not_too_early(level)[rows]
        most = self.arcs.table.problem.instance.limits.max_nodes
        if most is not None and len(partial.route) + 1 >= most:
            possible[:-1] = False
        cost = partial.cost + np.where(possible, self._paid[rows, senders].min(axis=1), math.inf)
        if self.arcs.peak_weight == 0:
            return np.asarray(cost), np.zeros(cost.shape)
        peak_s = np.where(self.arcs.allowed[rows, senders], self.arcs.peak_s[rows, senders], math.inf)
        return np.asarray(cost), np.maximum(partial.peak_s, peak_s.min(axis=1))

    def _not_too_early(self, level: int) -> Bools:
        """Whether a run fits a node with so many stages to come, shape [runs, nodes]."""
        limits = self.arcs.table.tail_limits
        return np.ones(self.arcs.table.allowed.shape, dtype=bool) if limits is None else limits >= level

    @cached_property
    def _paid(self) -> Floats:
        return self.relaxation.cost + self.relaxation.per_stage(self.multipliers)

    @cached_property
    def _least_peak_s(self) -> float:
        return self.relaxation.bottleneck_bound_s if self.arcs.peak_weight > 0 else 0.0

    def _cheapest(self, estimate: Floats, worst: float) -> list[tuple[int, int]]:
        """Best pairs (partial plan, node) below `worst`, at most `width`."""
        flat = estimate.ravel()
        places = np.flatnonzero(flat < worst)
        if len(places) > self.width:
            places = places[np.argpartition(flat[places], self.width - 1)[: self.width]]
        width = estimate.shape[1]
        return [divmod(int(place), width) for place in places]
