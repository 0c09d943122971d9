"""What steps of a walk cost: a serial round in visiting order, a pipeline from its last stage to its first.

A step serves one run with one type of node and pays for the transfer between it and its neighbour: in
a round the node before, or the server; in a pipeline the node behind, so that every stage knows how many
stages follow it when its memory is judged (9).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeplan.models.network import Node
from edgeplan.solvers.layer_assignment.label_setting.criteria import Amounts
from edgeplan.solvers.layer_assignment.label_setting.node_types import NodeTypes
from edgeplan.solvers.layer_assignment.steps.pipeline_table import PipelineTable
from edgeplan.solvers.layer_assignment.steps.serial_table import SerialTable
from edgeplan.solvers.layer_assignment.steps.stage_table import Floats, StageTable


@dataclass(frozen=True)
class StepCosts:
    """Time (s), energy (J) and price of steps, and the compute time by itself.

    Parameters
    ----------
    table
        Stages over one node of each type.
    time_s, energy_j, price
        Additive figures; a transfer's time is that of `time_s`.
    leaving_s
        Transfer out within a serial stage's time, shape [runs, types].
    """

    table: StageTable
    time_s: Amounts
    energy_j: Amounts
    price: Amounts
    leaving_s: Floats


@dataclass(frozen=True)
class _Pairs:
    """Latency (s) and seconds of a bit between nodes, shape [sources, targets]."""

    latency_s: Floats
    s_per_bit: Floats

    @classmethod
    def between(cls, types: NodeTypes, sources: list[Node], targets: list[Node]) -> _Pairs:
        network = types.problem.instance.network
        found = [[network.latency_and_rate(a.id, b.id) for b in targets] for a in sources]
        shape = (len(sources), len(targets))
        latency = np.array([[pair[0] for pair in row] for row in found]).reshape(shape)
        rate = np.array([[pair[1] for pair in row] for row in found]).reshape(shape)
        return cls(latency, 1.0 / rate)  # an unlimited rate is infinite and takes no time

    @property
    def turned(self) -> _Pairs:
        return _Pairs(self.latency_s.T, self.s_per_bit.T)


def neighbours(types: NodeTypes) -> list[Node]:
    """One node of each group; in a round with a server, that server."""
    if types.problem.server is not None:
        network = types.problem.instance.network
        return [network.nodes[network.index_of[types.problem.server]]]
    return [types.nodes[types.groups.index(group)] for group in range(types.num_groups)]


def _of(nodes: list[Node] | tuple[Node, ...], attribute: str) -> Floats:
    return np.array([float(getattr(node, attribute)) for node in nodes])


@np.errstate(over="ignore", invalid="ignore")  # beyond a float is never allowed
def serial_costs(types: NodeTypes) -> StepCosts:
    """Return the costs of a round's steps."""  # (5) to (8)
    table = SerialTable(types.problem, types.representatives)
    senders = neighbours(types)
    into = _Pairs.between(types, senders, list(types.nodes))
    bits, compute = 8.0 * table.bytes_in, table.compute_s
    leaving, returning = np.zeros(compute.shape), 0.0
    if types.problem.server is not None:
        out = _Pairs.between(types, list(types.nodes), senders)
        leaving = out.latency_s[:, 0] + 8.0 * table.bytes_out[:, None] * out.s_per_bit[:, 0]
        returning = senders[0].price_per_s
    price = _of(types.nodes, "price_per_s")
    power = _of(types.nodes, "compute_power_w") * compute + _of(types.nodes, "transmit_power_w") * leaving
    paid = np.add.outer(_of(senders, "price_per_s"), price)
    time_s = Amounts(compute + leaving, into.latency_s, into.s_per_bit, bits)
    return StepCosts(
        table,
        time_s,
        _scaled(time_s, power, _of(senders, "transmit_power_w")[:, None]),
        _scaled(time_s, price * compute + (price + returning) * leaving, paid),
        leaving,
    )


@np.errstate(over="ignore", invalid="ignore")
def pipeline_costs(types: NodeTypes) -> StepCosts:
    """Return the costs of a pipeline's steps, each with the link behind it; the last group has none."""
    # (10), (11)
    table = PipelineTable(types.problem, types.representatives)
    receivers, senders = neighbours(types), list(types.nodes)
    forward = _Pairs.between(types, senders, receivers).turned
    backward = _Pairs.between(types, receivers, senders)
    if types.problem.instance.training.pass_ == "inference":
        backward = _Pairs(np.zeros(backward.latency_s.shape), np.zeros(backward.latency_s.shape))
    count = float(types.problem.instance.micro_batches)
    bits, compute = 8.0 * table.cut_bytes[table.run_ends], table.compute_s
    price, transmit = _of(senders, "price_per_s"), _of(senders, "transmit_power_w")
    sending = _of(receivers, "transmit_power_w")[:, None]
    paid = np.add.outer(_of(receivers, "price_per_s"), price)
    latency, per_bit = forward.latency_s + backward.latency_s, forward.s_per_bit + backward.s_per_bit
    time_s = Amounts(compute, latency, per_bit, bits)
    energy = Amounts(
        _of(senders, "compute_power_w") * compute,
        transmit * forward.latency_s + sending * backward.latency_s,
        transmit * forward.s_per_bit + sending * backward.s_per_bit,
        bits,
    )
    return StepCosts(
        table,
        _with_end(time_s),
        _with_end(energy.weighted(count)),
        _with_end(_scaled(time_s, price * compute, paid).weighted(count)),
        np.zeros(compute.shape),
    )


def _scaled(time_s: Amounts, own: Floats, factor: Floats) -> Amounts:
    """Return what a transfer costs by the second, and the stage by itself."""
    return Amounts(own, factor * time_s.latency, factor * time_s.per_bit, time_s.bits)


def _with_end(amounts: Amounts) -> Amounts:
    """Add the group behind the last stage, to which nothing moves."""
    nothing = np.zeros((1, amounts.latency.shape[1]))
    return Amounts(
        amounts.own,
        np.concatenate([amounts.latency, nothing]),
        np.concatenate([amounts.per_bit, nothing]),
        amounts.bits,
    )


def are_finite(costs: StepCosts) -> np.ndarray:
    """Whether a float holds what a stage costs alone, shape [runs, types]."""
    return np.asarray(np.isfinite(costs.time_s.own + costs.energy_j.own + costs.price.own))
