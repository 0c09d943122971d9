"""Split in proportion to memory: the ring of exo (https://github.com/exo-explore/exo).

Its rule: all nodes in a ring, most memory first, each the share of the layers that its memory has in the
sum of all memories. Written from that description; boundaries are rounded to the nearest layer. With more
nodes than layers the rule leaves nodes without a layer, and it breaks limits; so, as practice would, the m
nodes of most memory for every m, and the best of those that break no limit.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.rivals.shares import share_out
from benchmarks.rivals.split import Split, best_feasible
from benchmarks.rivals.stage_costs import StageCosts
from edgeplan.models.layer_assignment import LayerAssignment, Plan


def plan(problem: LayerAssignment, *, time_limit_s: float = 60.0) -> Plan | None:
    """Return the best split by memory; None where none keeps the limits."""
    costs = StageCosts(problem)
    return best_feasible(problem, _splits(costs))


def _splits(costs: StageCosts) -> Iterator[Split | None]:
    nodes = costs.problem.instance.network.nodes
    ring = sorted(costs.workers, key=lambda index: nodes[index].memory_bytes, reverse=True)
    for count in range(1, costs.most_stages + 1):
        chosen = costs.arranged(ring[:count])
        yield share_out(costs, chosen, [float(nodes[index].memory_bytes) for index in chosen])
    if len(ring) > costs.most_stages:
        chosen = costs.arranged(ring)
        if len(chosen) <= 10 * costs.num_positions:  # beyond that every share rounds to nothing
            yield share_out(costs, chosen, [float(nodes[index].memory_bytes) for index in chosen])
