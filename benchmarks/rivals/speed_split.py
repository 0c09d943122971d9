"""Split in proportion to speed: fast nodes get more layers, what load-aware launchers do.

The m fastest and the m best connected nodes for every m, best first and as listed, each the share of the
layers that its speed has in the sum of the speeds; the best of those that break no limit.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.rivals.shares import share_out
from benchmarks.rivals.split import Split, best_feasible
from benchmarks.rivals.stage_costs import StageCosts
from edgeplan.models.layer_assignment import LayerAssignment, Plan


def plan(problem: LayerAssignment, *, time_limit_s: float = 60.0) -> Plan | None:
    """Return the best split by speed; None where none keeps the limits."""
    costs = StageCosts(problem)
    return best_feasible(problem, _splits(costs))


def _splits(costs: StageCosts) -> Iterator[Split | None]:
    for ranked in costs.rankings():
        for count in range(1, costs.most_stages + 1):
            for chosen in (costs.arranged(ranked[:count]), sorted(ranked[:count])):
                yield share_out(costs, chosen, [min(costs.speed(node), 1e18) for node in chosen])
