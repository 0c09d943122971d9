"""Multipliers from the linear programme of the walk relaxation, where it is small enough.

Its optimal duals are the best multipliers there are, also where subgradient steps hardly move: on
questions of feasibility alone, such as that of a bottleneck. Whatever the engine's precision, the bound
comes from the walk that is cheapest under them. Limits may be broken at a price that takes the bound
beyond the target, so the programme has a solution whenever there is a walk.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeplan.solvers.layer_assignment.bounds.dualised import Dualised
from edgeplan.solvers.layer_assignment.bounds.walks import Walks
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs
from edgeplan.solvers.layer_assignment.steps.stage_table import Floats, Ints

MOST_STEPS = 40_000  # beyond, steps of one run and node are one, whichever node is before
_MOST_PAIRS = 150_000
_DEAREST = 100.0  # price of breaking a limit by one, in targets
_SHORTEST_S, _LONGEST_S = 0.01, 10.0


@dataclass(frozen=True)
class _Moves:
    """Variables of the linear programme: between states, at a cost, by a node; arrays of one shape."""

    starts: Ints
    ends: Ints
    leaving: Ints
    arriving: Ints
    columns: Ints
    costs: Floats

    @classmethod
    def of(cls, walks: Walks) -> _Moves:
        """One for every step."""
        arcs, (rows, senders, columns) = walks.arcs, walks.steps
        starts, ends = arcs.table.run_starts[rows], arcs.table.run_ends[rows]
        classes = arcs.class_of[columns]
        if arcs.is_cyclic:
            classes = np.where(senders == arcs.source, senders, classes)  # a stage alone closes by itself
        return cls(starts, ends, senders, classes, columns, walks.costs)

    def merged(self) -> _Moves:
        """One for every run and node, at the least cost: a relaxation without classes."""
        order = np.lexsort((self.costs, self.columns, self.ends, self.starts))
        keys = np.stack([self.starts, self.ends, self.columns])[:, order]
        new = np.ones(len(order), dtype=bool)
        new[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
        kept = order[new]
        none = np.zeros(len(kept), dtype=np.int64)
        return _Moves(self.starts[kept], self.ends[kept], none, none, self.columns[kept], self.costs[kept])


def linear_prices(walks: Walks, dualised: Dualised, target: float, *, until: float) -> Floats | None:
    """Return the best multipliers; None where the programme is too large or unsolved.

    Parameters
    ----------
    walks
        Allowed steps and their costs.
    dualised
        Limits to price.
    target
        Objective up to which plans matter.
    until
        Monotonic time at which to give up.
    """
    from scipy.optimize import linprog  # here, because importing it takes half a second
    from scipy.sparse import csr_matrix, hstack, identity

    moves = _Moves.of(walks)
    if len(moves.costs) > MOST_STEPS:
        moves = moves.merged()
    if not 0 < len(moves.costs) <= _MOST_PAIRS or target <= 0:
        return None
    num_limits, equations = len(dualised.limits), _one_walk(moves, walks.arcs)
    longest = min(_LONGEST_S, until - time.monotonic())
    answer = linprog(
        np.append(moves.costs / target, np.full(num_limits, _DEAREST)),
        A_ub=hstack([csr_matrix(dualised.coefficients[:, moves.columns]), -identity(num_limits)]),
        b_ub=dualised.limits,
        A_eq=hstack([equations, csr_matrix((equations.shape[0], num_limits))]),
        b_eq=np.append(np.zeros(equations.shape[0] - 1), 1.0),
        method="highs-ipm",  # seconds where the simplex method takes minutes
        options={"time_limit": max(_SHORTEST_S, longest)},
    )
    if answer.status != 0:
        return None
    return np.maximum(0.0, -target * np.asarray(answer.ineqlin.marginals))


def sparing_prices(walks: Walks) -> list[Floats]:
    """Prices above all costs, for plans that spare nodes: alike for all, and by the layers they could hold.

    Each of shape [nodes].
    """
    table, (rows, _, columns) = walks.arcs.table, walks.steps
    longest = np.zeros((table.num_positions, walks.arcs.num_nodes))
    lengths = table.run_ends[rows] - table.run_starts[rows]
    np.maximum.at(longest, (table.run_starts[rows], columns), lengths)
    peaks = walks.arcs.peak_s[walks.steps]
    highest = float(peaks[np.isfinite(peaks)].max(initial=0.0))
    dearest = float(walks.costs.max(initial=0.0)) + walks.arcs.peak_weight * highest
    price = max(dearest, 1.0)
    return [np.full(walks.arcs.num_nodes, price), longest.mean(axis=0) * price]


def _one_walk(moves: _Moves, arcs: Arcs) -> Any:
    """What arrives in a state leaves it, a row each; the last row: one move leaves position 0."""
    from scipy.sparse import csr_matrix

    n, count = arcs.table.num_positions, len(moves.costs)
    ends = moves.ends % n if arcs.is_cyclic else moves.ends
    states = np.append(
        moves.starts * arcs.num_classes + moves.leaving, ends * arcs.num_classes + moves.arriving
    )
    variables, values = np.tile(np.arange(count), 2), np.repeat([-1.0, 1.0], count)
    if not arcs.is_cyclic:
        inner = np.append(moves.starts > 0, ends < n)
        states, variables, values = states[inner], variables[inner], values[inner]
    known, rows = np.unique(states, return_inverse=True)
    first = np.flatnonzero(moves.starts == 0)
    return csr_matrix(
        (
            np.append(values, np.ones(len(first))),
            (np.append(rows, np.full(len(first), len(known))), np.append(variables, first)),
        ),
        shape=(len(known) + 1, count),
    )
