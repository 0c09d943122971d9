"""Construction: beam search over positions, guided by the relaxation's cheapest completion."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import numpy as np

from edgeplan.solvers.layer_assignment.arcs import Arcs
from edgeplan.solvers.layer_assignment.relaxation import Relaxation
from edgeplan.solvers.layer_assignment.route import Route
from edgeplan.solvers.layer_assignment.stage_table import Bools, Floats, Ints

_LIMIT = 3  # times the width: partial plans held at a position before the worst are dropped


@dataclass(frozen=True, order=True)
class _Partial:
    """A plan of the first positions; `estimate` adds the cheapest completion to `cost`."""

    estimate: float
    cost: float = field(compare=False)
    route: Route
    free: Bools = field(compare=False, repr=False)

    @property
    def state(self) -> tuple[frozenset[int], int]:
        """What decides how it can go on: nodes used, last node."""
        columns = [column for _, _, column in self.route]
        return frozenset(columns), columns[-1]

    def serve(self, start: int, end: int, column: int, cost: float, estimate: float) -> _Partial:
        """Append a stage."""
        free = self.free.copy()
        free[column] = False
        return _Partial(estimate, cost, (*self.route, (start, end, column)), free)


class _Position:
    """The best partial plans that end at one position."""

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
    """

    arcs: Arcs
    relaxation: Relaxation
    width: int

    def routes(self, *, until: float = math.inf) -> list[Route]:
        """Return complete routes, cheapest by estimate first.

        Parameters
        ----------
        until
            Monotonic time at which to give up; then, as where no route is found, the list may be empty.
        """
        n = self.arcs.table.num_positions
        completion = self.relaxation.guide()
        positions = [_Position(self.width) for _ in range(n + 1)]
        start = _Partial(0.0, 0.0, (), np.ones(self.arcs.num_nodes, dtype=bool))
        for p in range(n):
            if time.monotonic() > until:
                break
            self._extend([start] if p == 0 else positions[p].best(), p, completion, positions)
        alone = [((0, n, int(column)),) for column in np.flatnonzero(self.arcs.alone)]
        return [partial.route for partial in positions[n].best()] + alone

    def _extend(
        self, partials: list[_Partial], p: int, completion: Floats, positions: list[_Position]
    ) -> None:
        """Append every useful stage from position `p` to the partial plans that end there."""
        if not partials:
            return
        rows = np.arange(self.arcs.table.run(p, p + 1), self.arcs.table.run(p, len(positions) - 1) + 1)
        cost = np.stack([self._costs(partial, rows) for partial in partials], axis=1)
        rest = np.stack([self._rest(partial, p, completion) for partial in partials], axis=1)
        estimate = cost + rest
        for place, q in enumerate(range(p + 1, len(positions))):
            for k, column in self._cheapest(estimate[place], positions[q].worst):
                figures = float(cost[place, k, column]), float(estimate[place, k, column])
                positions[q].add(partials[k].serve(p, q, column, *figures))

    def _costs(self, partial: _Partial, rows: Ints) -> Floats:
        """Cost of the plan with one more stage, shape [runs, nodes]."""
        if partial.route:
            step = self.arcs.cost[rows, self.arcs.class_of[partial.route[-1][2]]]
        else:
            step = self.arcs.cost[rows].min(axis=1)
        return np.asarray(partial.cost + np.where(partial.free, step, math.inf))

    def _rest(self, partial: _Partial, p: int, completion: Floats) -> Floats:
        """Cheapest completion behind one more stage, shape [runs, nodes]."""
        num_stages = len(partial.route) + 1
        missing = max(completion.shape[1] - 1 - num_stages, 0)
        rest = completion[p + 1 :, missing][:, self.arcs.class_of].copy()
        limit = self.arcs.table.problem.instance.limits.max_nodes
        if limit is not None and num_stages >= limit:
            rest[:-1] = math.inf
        return rest

    def _cheapest(self, estimate: Floats, worst: float) -> list[tuple[int, int]]:
        """Best pairs (partial plan, node) below `worst`, at most `width`."""
        flat = estimate.ravel()
        places = np.flatnonzero(flat < worst)
        if len(places) > self.width:
            places = places[np.argpartition(flat[places], self.width - 1)[: self.width]]
        width = estimate.shape[1]
        return [divmod(int(place), width) for place in places]
