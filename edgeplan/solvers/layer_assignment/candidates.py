"""Which nodes a table is built for: all where it fits, else a choice that proves nothing."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.network import Node
from edgeplan.solvers.layer_assignment.bounds.relaxation import Relaxation, Span
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs
from edgeplan.solvers.layer_assignment.steps.pipeline_arcs import PipelineArcs
from edgeplan.solvers.layer_assignment.steps.pipeline_table import PipelineTable
from edgeplan.solvers.layer_assignment.steps.serial_arcs import SerialArcs
from edgeplan.solvers.layer_assignment.steps.serial_table import SerialTable

MAX_STEPS = 6_000_000
MAX_LINKED = 1_500  # nodes between which all links are looked at
_CHOSEN_PER_LENGTH = 10
_PRICING_S = 2.0


@dataclass(frozen=True)
class Candidates:
    """Steps over the candidate nodes; `complete` says that no node was left out."""

    arcs: Arcs
    complete: bool


def arcs_over(problem: LayerAssignment, nodes: tuple[int, ...]) -> Arcs:
    """Return the steps over some nodes, by the schedule of the problem."""
    if problem.is_pipeline:
        return PipelineArcs(PipelineTable(problem, nodes))
    return SerialArcs(SerialTable(problem, nodes))


def candidates(problem: LayerAssignment) -> Candidates:
    """Take every node but the server, or a promising few where the table would be too large."""
    server = problem.server
    nodes = tuple(index for index, node in enumerate(problem.instance.network.nodes) if node.id != server)
    num_positions = len(problem.figures.own)
    num_runs = num_positions * (num_positions + 1) // 2
    if len(nodes) * num_runs <= MAX_STEPS:
        arcs = arcs_over(problem, nodes)
        if len(nodes) <= MAX_LINKED:
            arcs = _without_idle_links(arcs)
        if arcs.num_classes * len(nodes) * num_runs <= MAX_STEPS:
            return Candidates(arcs, complete=True)
    chosen = arcs_over(problem, _promising(problem, nodes))
    return Candidates(_without_idle_links(chosen), complete=False)


def _without_idle_links(arcs: Arcs) -> Arcs:
    """Leave links out where they decide nothing, so that it does not matter which node is before.

    That is where the bottleneck alone counts, and every plan has a stage that takes longer than any link.
    """
    if not isinstance(arcs, PipelineArcs) or not arcs.bottleneck_decides or not arcs.num_nodes:
        return arcs
    unlinked = replace(arcs, free_transfers=True)
    return unlinked if _all_exceed(unlinked, arcs.longest_link_s) else arcs


def _all_exceed(arcs: Arcs, seconds: float) -> bool:
    """Whether every plan is proven to have a longer bottleneck."""
    target = seconds * arcs.peak_weight
    relaxation = Relaxation(arcs, span=Span(0.0, seconds))
    if relaxation.bottleneck_bound_s > seconds:
        return True
    ascent = relaxation.priced(target, until=time.monotonic() + _PRICING_S)
    return ascent is not None and relaxation.bound(ascent.walk) > target


def _promising(problem: LayerAssignment, nodes: tuple[int, ...]) -> tuple[int, ...]:
    """For runs of several lengths, the nodes that hold one and would be done with it first."""
    figures, instance = problem.figures, problem.instance
    chosen = {instance.network.index_of[node] for node in instance.pin.values()}
    num_positions, length = len(figures.own), 1
    while length <= num_positions:
        start = (num_positions - length) // 2
        own = figures.own[start : start + length]
        need = figures.memory_bytes(own)
        amount, flops = _work(problem, own)
        fitting = [index for index in nodes if instance.network.nodes[index].memory_bytes >= need]
        seconds = {index: _visit_s(instance.network.nodes[index], flops, amount) for index in fitting}
        chosen |= set(heapq.nsmallest(_CHOSEN_PER_LENGTH, seconds, key=seconds.__getitem__))
        length = length + 1 if length < 4 else length * 2
    return tuple(sorted(chosen))


def _work(problem: LayerAssignment, own: Sequence[int]) -> tuple[float, float]:
    """Bytes that a stage gets before it computes, and FLOPs."""
    if problem.is_pipeline:
        pipeline = problem.pipeline
        flops = pipeline.micro_batch_size * sum(pipeline.layer_flops[index] for index in own)
        return float(pipeline.cut_bytes[own[0]]), flops
    serial, training = problem.serial, problem.instance.training
    flops = training.local_steps * training.batch_size * serial.flops({*serial.trained(own)})
    return float(serial.bytes_to_update(own)), flops


def _visit_s(node: Node, flops: float, amount: float) -> float:
    """Rough seconds of a visit: bytes over the slower direction, FLOPs over speed."""
    rates = [rate for rate in (node.uplink_bit_per_s, node.downlink_bit_per_s) if rate is not None]
    transfer_s = 8 * amount / min(rates, default=math.inf) + 2 * node.latency_s
    return transfer_s + flops / node.flops_per_s


def fits_one_table(problem: LayerAssignment) -> bool:
    """Whether the solvers that look at every step can."""
    n, num_nodes = len(problem.figures.own), len(problem.instance.network.nodes)
    return num_nodes * n * (n + 1) // 2 <= MAX_STEPS and candidates(problem).complete
