"""Bounds from cheapest chains of runs, whoever sends and whoever served before: weak, and fast.

Each run takes its cheapest allowed step, whatever the node and the sender, and runs are chained over the
positions with as many stages as the limits allow. This relaxes "a node serves once", where parameters
come from, and waiting for windows, so what no chain keeps no plan keeps.
"""

from __future__ import annotations

import math

import numpy as np

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.solvers.layer_assignment.candidates import candidates
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs
from edgeplan.solvers.layer_assignment.steps.stage_table import Floats, Ints

LIMIT_OF_TERM = {"time_s": "deadline_s", "energy_j": "budget_energy_j", "price": "budget_price"}
_ROUNDING = 1e-8  # beyond the tolerance of limits and the rounding of sums


def shows_no_plan(problem: LayerAssignment) -> bool:
    """Say whether chains prove that no plan exists; where they do not, nothing is known.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> problem = two_layers_two_nodes()
    >>> shows_no_plan(problem), shows_no_plan(problem.replace(limits={"deadline_s": 0.5}))
    (False, True)
    """
    chosen = candidates(problem)
    if not chosen.complete:
        return False
    if not chosen.arcs.num_nodes or not math.isfinite(least(chosen.arcs, "time_s")):
        return True
    limits = problem.instance.limits
    for term, name in LIMIT_OF_TERM.items():
        limit = getattr(limits, name)
        if limit is not None and least(chosen.arcs, term) > limit + _ROUNDING * max(1.0, limit):
            return True
    return False


def least(arcs: Arcs, term: str) -> float:
    """Bound a term of every plan from below; infinite where no chain covers the layers.

    Parameters
    ----------
    arcs
        Steps over all nodes of the instance.
    term
        ``time_s``, ``energy_j`` or ``price``.
    """
    alone = arcs.minimising(term)
    table = arcs.table
    cost = alone.cost.min(axis=(1, 2), initial=math.inf)
    peak = np.where(arcs.allowed, arcs.peak_s, math.inf).min(axis=(1, 2), initial=math.inf)
    limits, n = table.problem.instance.limits, table.num_positions
    fewest, most = min(limits.min_nodes, n), min(limits.max_nodes or n, n)
    if fewest > most or limits.min_nodes > n:
        return math.inf
    chains = _chains(table.run_starts, table.run_ends, cost, n, most)
    total = float(chains[n, fewest : most + 1].min())
    if alone.peak_weight > 0 and math.isfinite(total):
        total += alone.peak_weight * _lowest_peak(table.run_starts, table.run_ends, peak, n)
    return total - 1e-9 * abs(total)


def _chains(starts: Ints, ends: Ints, cost: Floats, n: int, most: int) -> Floats:
    """Cheapest chain to each position with each number of stages, shape [n + 1, most + 1]."""
    best = np.full((n + 1, most + 1), math.inf)
    best[0, 0] = 0.0
    for q in range(1, n + 1):
        arriving = np.flatnonzero(ends == q)
        best[q, 1:] = (best[starts[arriving], :-1] + cost[arriving, None]).min(axis=0)
    return best


def _lowest_peak(starts: Ints, ends: Ints, peak: Floats, n: int) -> float:
    """Smallest possible largest peak of a chain."""
    best = np.full(n + 1, math.inf)
    best[0] = 0.0
    for q in range(1, n + 1):
        arriving = np.flatnonzero(ends == q)
        best[q] = np.maximum(best[starts[arriving]], peak[arriving]).min()
    return float(best[n])
