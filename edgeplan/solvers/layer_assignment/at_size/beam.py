"""Plans by beam search over single kinds, led by the cheapest walks to the end."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import numpy as np

from edgeplan.models.layer_assignment import Plan, Stage
from edgeplan.solvers.layer_assignment.at_size.walks import Closing, Step, Walks
from edgeplan.solvers.layer_assignment.steps.stage_table import Floats, Ints


@dataclass(frozen=True, order=True)
class _Partial:
    """A plan of the first positions: its cost with the cheapest completion, and without."""

    estimate: float
    cost: float = field(compare=False)
    steps: tuple[Step, ...] = field(compare=False)


@dataclass(frozen=True)
class Beam:
    """Builds plans position by position; columns that are groups of unlike kinds are left out.

    Parameters
    ----------
    walks
        Walks over the columns.
    pays
        Multipliers of the columns, which lead the search away from nodes that many stages want.
    width
        Partial plans kept at a position.
    """

    walks: Walks
    pays: Floats
    width: int

    def plans(self, closing: Closing, completion: Floats, *, until: float = math.inf) -> list[Plan]:
        """Return complete plans, cheapest by estimate first.

        Parameters
        ----------
        closing, completion
            Closing class and the cheapest ways to its end.
        until
            Monotonic time at which to give up.
        """
        work = self.walks.columns.work
        rest = self.walks.senders_of(completion)
        positions: list[list[_Partial]] = [[] for _ in range(work.num_positions + 1)]
        positions[0] = [_Partial(0.0, 0.0, ())]
        for p in range(work.num_positions):
            kept = _distinct(positions[p], self.width)
            positions[p] = []
            if time.monotonic() > until:
                return []
            if kept and len(self.walks.rows_from[p]):
                self._extend(kept, self.walks.rows_from[p], rest, closing, positions)
        best = _distinct(positions[-1], self.width)
        return [self._plan(partial.steps) for partial in best]

    def _extend(
        self,
        kept: list[_Partial],
        rows: Ints,
        rest: Floats,
        closing: Closing,
        positions: list[list[_Partial]],
    ) -> None:
        """Append every stage to the partial plans that end at one position."""
        ends = self.walks.columns.work.ends[rows]
        costs, estimates = [], []
        for partial in kept:
            if partial.steps:
                stage = self.walks.next_stages(rows, partial.steps[-1][1], self.pays)
            else:
                stage = self.walks.first_stages(rows, self.pays, closing)
            missing = max(self.walks.levels - len(partial.steps) - 1, 0)
            cost = partial.cost + np.where(self._free(partial), stage, math.inf)
            estimate = cost + rest[ends, missing]
            if self._is_last(partial):
                estimate[ends < len(positions) - 1] = math.inf
            costs.append(cost)
            estimates.append(estimate)
        cost, estimate = np.stack(costs, axis=1), np.stack(estimates, axis=1)  # [rows, partials, columns]
        for place, q in enumerate(ends):
            self._keep(kept, int(rows[place]), cost[place], estimate[place], positions[q])

    def _free(self, partial: _Partial) -> np.ndarray:
        columns = self.walks.columns
        used = np.bincount([column for _, column in partial.steps], minlength=columns.num_columns)
        return np.asarray(columns.is_exact & (used < columns.capacity))

    def _is_last(self, partial: _Partial) -> bool:
        limit = self.walks.columns.work.problem.instance.limits.max_nodes
        return limit is not None and len(partial.steps) + 1 >= limit

    def _keep(
        self, kept: list[_Partial], row: int, cost: Floats, estimate: Floats, into: list[_Partial]
    ) -> None:
        """Add the best extensions by one run."""
        flat = estimate.ravel()
        count = min(self.width, len(flat))
        places = np.argpartition(flat, count - 1)[:count]
        for place in places[np.isfinite(flat[places])]:
            parent, column = divmod(int(place), estimate.shape[1])
            steps = (*kept[parent].steps, (row, column))
            into.append(_Partial(float(flat[place]), float(cost[parent, column]), steps))
        if len(into) > 4 * self.width:
            into[:] = _distinct(into, self.width)

    def _plan(self, steps: tuple[Step, ...]) -> Plan:
        """Give the columns' nodes to the stages, one after another where nodes are alike."""
        work, columns = self.walks.columns.work, self.walks.columns
        instance, own = work.problem.instance, work.problem.figures.own
        taken: dict[int, int] = {}
        stages = []
        for row, column in steps:
            members = work.kinds.members[int(columns.groups[column][0])]
            node = int(members[taken.setdefault(column, 0)])
            taken[column] += 1
            layers = own[int(work.starts[row]) : int(work.ends[row])]
            names = tuple(instance.model.layers[layer].name for layer in layers)
            stages.append(Stage(node=instance.network.nodes[node].id, layers=names))
        return Plan(stages=tuple(stages))


def _distinct(partials: list[_Partial], width: int) -> list[_Partial]:
    """Cheapest partial plans, one for each set of used columns and last column."""
    found: dict[tuple[frozenset[int], int], _Partial] = {}
    for partial in sorted(partials):
        if partial.steps:
            columns = [column for _, column in partial.steps]
            found.setdefault((frozenset(columns), columns[-1]), partial)
        else:
            found[frozenset(), -1] = partial
        if len(found) >= width:
            break
    return list(found.values())
