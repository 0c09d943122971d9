"""A second reason why no plan exists: by whole numbers alone, no chain of runs covers the layers.

It shares nothing with the walks but the problem's own memory equation: positions, stage counts, and
whether the roomiest node, or the one to which a run is pinned, holds the run.
"""

from __future__ import annotations

from edgeplan.models.layer_assignment import LayerAssignment


def has_no_chain(problem: LayerAssignment) -> bool:
    """Say whether no chain of runs with an allowed number of stages covers the layers."""
    instance, figures = problem.instance, problem.figures
    names = [instance.model.layers[layer].name for layer in figures.own]
    pinned = set(instance.pin.values())
    workers = [node for node in instance.network.nodes if node.id != problem.server]
    memory = {node.id: node.memory_bytes for node in workers}
    roomiest = max((node.memory_bytes for node in workers if node.id not in pinned), default=0)
    longest = instance.limits.max_layers_per_node or len(names)
    counts: list[set[int]] = [{0}] + [set() for _ in names]  # stages with which a position can be reached
    for start in range(len(names)):
        for end in range(start + 1, min(start + longest, len(names)) + 1):
            owners = {instance.pin[name] for name in names[start:end] if name in instance.pin}
            room = roomiest if not owners else memory[next(iter(owners))]
            if len(owners) <= 1 and figures.memory_bytes(figures.own[start:end]) <= room:
                counts[end] |= {count + 1 for count in counts[start]}
    most = min(instance.limits.max_nodes or len(names), len(workers))
    return not any(instance.limits.min_nodes <= count <= most for count in counts[-1])
