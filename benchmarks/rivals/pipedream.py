"""PipeDream's dynamic programme, straight pipeline: minimise the slowest stage or link.

D. Narayanan et al., PipeDream: generalized pipeline parallelism for DNN training, SOSP 2019,
doi:10.1145/3341301.3359646, section 3.1. Without replicated stages its recurrence is

    A(j, m) = min over i < j of max(A(i, m - 1), 2 a_i / B, T(i + 1 .. j)):

the best pipeline of the first j layers on m machines, whose last stage computes layers i + 1 to j and
whose last link carries the activations of layer i and their gradients.

How it was adapted. The paper's machines are alike; here stage k is costed on node k of a fixed list, its
link between node k - 1 and node k, and a stage that the node may not own costs infinity. Every listed node
serves one stage, as in the paper. Lists: the m fastest and the m best connected nodes for every m, best
first and in the order of the instance; the best plan by the instance's own objective is returned. For a
serial round, which the paper does not know, the sum over stages takes the place of the maximum, and the
first stage's transfer comes from the last node of the list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.rivals.split import Split, best_feasible
from benchmarks.rivals.stage_costs import StageCosts
from edgeplan.models.layer_assignment import LayerAssignment, Plan


def plan(problem: LayerAssignment, *, time_limit_s: float = 60.0) -> Plan | None:
    """Return the best of the programme's plans; None where none keeps the limits."""
    costs = StageCosts(problem)
    return best_feasible(problem, _splits(costs))


def _splits(costs: StageCosts) -> Iterator[Split | None]:
    for ranked in costs.rankings():
        for count in range(1, costs.most_stages + 1):
            yield split_over(costs, costs.arranged(ranked[:count]))
            yield split_over(costs, sorted(ranked[:count]))


def split_over(costs: StageCosts, nodes: Sequence[int]) -> Split | None:
    """Solve the recurrence on these nodes in this order; None where no split is allowed.

    Parameters
    ----------
    costs
        The instance's figures.
    nodes
        One node a stage, in order.
    """
    best = np.full(costs.num_positions + 1, np.inf)
    best[0] = 0.0
    chosen = []
    for k, node in enumerate(nodes):
        value = _extended(costs, nodes, k, best[:-1, None])
        value[~costs.fits(node, len(nodes) - k)] = np.inf
        chosen.append(value.argmin(axis=0))
        best = value.min(axis=0)
    return _traced(nodes, chosen, costs.num_positions) if np.isfinite(best[-1]) else None


def _extended(costs: StageCosts, nodes: Sequence[int], k: int, best: np.ndarray) -> np.ndarray:
    """Value of every last run at stage k, from the best of what goes before it."""
    seconds = costs.seconds(nodes[k])
    if costs.problem.is_pipeline:
        link = costs.arrival_s(nodes[k - 1] if k else None, nodes[k])
        return np.asarray(np.maximum(np.maximum(best, link), seconds))
    before = nodes[k - 1] if len(nodes) > 1 else None
    return np.asarray(best + costs.arrival_s(before, nodes[k]) + seconds)


def _traced(nodes: Sequence[int], chosen: Sequence[np.ndarray], end: int) -> Split:
    ends = []
    for starts in reversed(chosen):
        ends.append(end)
        end = int(starts[end])
    return Split(tuple(nodes), tuple(reversed(ends)))
