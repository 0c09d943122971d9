"""Which nodes a table is built for: all where it fits, else a choice that proves nothing."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.network import Node
from edgeplan.solvers.layer_assignment.arcs import Arcs
from edgeplan.solvers.layer_assignment.stage_table import StageTable

MAX_STEPS = 6_000_000
_CHOSEN_PER_LENGTH = 10


@dataclass(frozen=True)
class Candidates:
    """Steps over the candidate nodes; `complete` says that no node was left out."""

    arcs: Arcs
    complete: bool


def candidates(problem: LayerAssignment) -> Candidates:
    """Take every node but the server, or a promising few where the table would be too large."""
    server = problem.instance.server
    nodes = tuple(index for index, node in enumerate(problem.instance.network.nodes) if node.id != server)
    num_positions = len(problem.figures.own)
    num_runs = num_positions * (num_positions + 1) // 2
    arcs = Arcs(StageTable(problem, nodes))
    if len(nodes) * num_runs <= MAX_STEPS and arcs.num_classes * len(nodes) * num_runs <= MAX_STEPS:
        return Candidates(arcs, complete=True)
    return Candidates(Arcs(StageTable(problem, _promising(problem, nodes))), complete=False)


def _promising(problem: LayerAssignment, nodes: tuple[int, ...]) -> tuple[int, ...]:
    """For runs of several lengths, the nodes that hold one and would be done with it first."""
    figures, instance, training = problem.serial, problem.instance, problem.instance.training
    pinned = {instance.network.index_of[node] for node in instance.pin.values()}
    chosen = set(pinned)
    num_positions, length = len(figures.own), 1
    while length <= num_positions:
        start = (num_positions - length) // 2
        own = figures.own[start : start + length]
        need, amount = figures.memory_bytes(own), float(figures.bytes_to_update(own))
        fitting = [index for index in nodes if instance.network.nodes[index].memory_bytes >= need]
        flops = training.local_steps * training.batch_size * figures.flops({*figures.trained(own)})
        seconds = {index: _visit_s(instance.network.nodes[index], flops, amount) for index in fitting}
        chosen |= set(heapq.nsmallest(_CHOSEN_PER_LENGTH, seconds, key=seconds.__getitem__))
        length = length + 1 if length < 4 else length * 2
    return tuple(sorted(chosen))


def _visit_s(node: Node, flops: float, amount: float) -> float:
    """Rough seconds of a visit: bytes over the slower direction, FLOPs over speed."""
    rates = [rate for rate in (node.uplink_bit_per_s, node.downlink_bit_per_s) if rate is not None]
    transfer_s = 8 * amount / min(rates, default=math.inf) + 2 * node.latency_s
    return transfer_s + flops / node.flops_per_s
