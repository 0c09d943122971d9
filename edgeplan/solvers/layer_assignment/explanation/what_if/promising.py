"""The unused node that a plan would gain most from, if only its memory were larger."""

from __future__ import annotations

import heapq

from edgeplan.models.layer_assignment import LayerAssignment, Plan, Stage

_FASTEST = 8


def promising_unused(problem: LayerAssignment, plan: Plan) -> str | None:
    """Return the unused node with the best single exchange that breaks nothing but its memory.

    Only the fastest unused nodes are tried on every stage. Where none breaks only that, the fastest is
    returned; None where every node is used.
    """
    used = {stage.node for stage in plan.stages} | {problem.server}
    unused = [node for node in problem.instance.network.nodes if node.id not in used]
    fastest = [node.id for node in heapq.nlargest(_FASTEST, unused, key=lambda node: node.flops_per_s)]
    index_of = problem.instance.network.index_of
    worth: dict[str, float] = {}
    for name in fastest:
        pointer = f"/network/nodes/{index_of[name]}/memory_bytes"
        for k in range(len(plan.stages)):
            check = problem.check(_exchanged(plan, k, name))
            short = [violation.pointer for violation in check.violations]
            if short == [pointer] and check.objective is not None:
                worth[name] = min(check.objective, worth.get(name, check.objective))
    return min(worth, key=worth.__getitem__, default=fastest[0] if fastest else None)


def _exchanged(plan: Plan, k: int, node: str) -> Plan:
    stages = list(plan.stages)
    stages[k] = Stage(node=node, layers=stages[k].layers)
    return Plan(stages=tuple(stages))
