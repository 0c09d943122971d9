"""Equal split: the same number of layers on every node, what hosts files and launchers do by default.

As practice would, the m fastest and the m best connected nodes for every m, all of them included where
there are no more than layers, in the order listed; the best of those that break no limit.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.rivals.shares import share_out
from benchmarks.rivals.split import Split, best_feasible
from benchmarks.rivals.stage_costs import StageCosts
from edgeplan.models.layer_assignment import LayerAssignment, Plan


def plan(problem: LayerAssignment, *, time_limit_s: float = 60.0) -> Plan | None:
    """Return the best equal split; None where none keeps the limits."""
    costs = StageCosts(problem)
    return best_feasible(problem, _splits(costs))


def _splits(costs: StageCosts) -> Iterator[Split | None]:
    for ranked in costs.rankings():
        for count in range(1, costs.most_stages + 1):
            yield share_out(costs, sorted(ranked[:count]), [1.0] * count)
