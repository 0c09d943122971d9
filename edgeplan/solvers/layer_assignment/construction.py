"""Construction: beam search over positions, guided by the relaxation's cheapest completion."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from edgeplan.solvers.layer_assignment.arcs import Arcs
from edgeplan.solvers.layer_assignment.relaxation import Relaxation
from edgeplan.solvers.layer_assignment.route import Route
from edgeplan.solvers.layer_assignment.stage_table import Bools, Floats


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
    width: int = 40

    def routes(self) -> list[Route]:
        """Return complete routes, cheapest by estimate first; may be empty."""
        n = self.arcs.table.num_positions
        completion = self.relaxation.completion(self.relaxation.no_multipliers()).min(axis=2)
        waiting: list[list[_Partial]] = [[] for _ in range(n + 1)]
        start = _Partial(0.0, 0.0, (), np.ones(self.arcs.num_nodes, dtype=bool))
        for p in range(n):
            for partial in [start] if p == 0 else self._best(waiting[p]):
                self._extend(partial, p, completion, waiting)
            waiting[p] = []
        alone = [((0, n, int(column)),) for column in np.flatnonzero(self.arcs.alone)]
        return [partial.route for partial in self._best(waiting[n])] + alone

    def _best(self, partials: list[_Partial]) -> list[_Partial]:
        """Cheapest partial plans, one for each set of used nodes and last node."""
        kept: dict[tuple[frozenset[int], int], _Partial] = {}
        for partial in sorted(partials):
            kept.setdefault(partial.state, partial)
            if len(kept) >= self.width:
                break
        return list(kept.values())

    def _extend(self, partial: _Partial, p: int, completion: Floats, waiting: list[list[_Partial]]) -> None:
        rows = np.arange(self.arcs.table.run(p, p + 1), self.arcs.table.run(p, len(waiting) - 1) + 1)
        cost = partial.cost + np.where(partial.free, self._step_cost(partial.route, rows), math.inf)
        levels = completion.shape[1] - 1
        missing = max(levels - len(partial.route) - 1, 0)
        estimate = cost + completion[p + 1 :, missing][:, self.arcs.class_of]
        limit = self.relaxation.arcs.table.problem.instance.limits.max_nodes
        if limit is not None and len(partial.route) + 1 >= limit:
            estimate[:-1] = math.inf
        for place, row_estimate in enumerate(estimate):
            q = p + 1 + place
            for column in self._cheapest(row_estimate):
                free = partial.free.copy()
                free[column] = False
                route = (*partial.route, (p, q, int(column)))
                waiting[q].append(
                    _Partial(float(row_estimate[column]), float(cost[place, column]), route, free)
                )

    def _cheapest(self, estimate: Floats) -> np.ndarray:
        most = min(self.width, len(estimate))
        columns = np.argpartition(estimate, most - 1)[:most]
        return columns[np.isfinite(estimate[columns])]

    def _step_cost(self, route: Route, rows: np.ndarray) -> Floats:
        if route:
            return np.asarray(self.arcs.cost[rows, self.arcs.class_of[route[-1][2]]])
        return np.asarray(self.arcs.cost[rows].min(axis=1))
