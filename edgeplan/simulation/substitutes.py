"""Who can take over a serial stage: idle nodes that hold it and break no rule of the plan, fastest first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.layer_assignment.plan_cost import VisitCost
from edgeplan.models.network import Node
from edgeplan.models.numbers import nearest_float
from edgeplan.simulation.chance import Array, Flags

MOST_SUBSTITUTES = 8
"""Substitutes that a stage has at most."""


class Substitutes:
    """The nodes of an instance as columns, and the substitutes of stages.

    Parameters
    ----------
    problem
        An instance with schedule serial.
    visits
        The plan's stages.
    """

    def __init__(self, problem: LayerAssignment, visits: Sequence[VisitCost]) -> None:
        self._problem, self._visits = problem, visits
        self._nodes = problem.instance.network.nodes

    def of(self, stage: int) -> list[int]:
        """Return the substitutes of a stage by index, those first whose visit would take least.

        A visit is its computing and its transfers: from the node before it in the plan, and to the next.
        """
        fit = self._idle & self._fits(stage)
        if self._is_pinned(stage):
            return []
        found = np.flatnonzero(fit)
        seconds = self._seconds(stage)[found]
        return [int(index) for index in found[np.argsort(seconds, kind="stable")[:MOST_SUBSTITUTES]]]

    @cached_property
    def _idle(self) -> Flags:
        """Nodes that are neither in the plan nor the server."""
        idle = np.ones(len(self._nodes), dtype=np.bool_)
        idle[[cost.visit.node for cost in self._visits]] = False
        if self._problem.server is not None:
            idle[self._problem.instance.network.index_of[self._problem.server]] = False
        return idle

    def _fits(self, stage: int) -> Flags:
        """Nodes with enough memory and samples, none of the layers forbidden, in their place in the order."""
        instance, cost = self._problem.instance, self._visits[stage]
        planned = self._nodes[cost.visit.node]
        fit = self._column("memory_bytes") >= cost.memory_bytes
        if instance.limits.min_samples:
            fit &= np.array([node.num_samples >= planned.num_samples for node in self._nodes])
        own = {instance.model.layers[index].name for index in cost.visit.own_layers}
        for layer, node in instance.forbid:
            if layer in own:
                fit[instance.network.index_of[node]] = False
        if instance.node_order == "given":
            before = self._visits[stage - 1].visit.node if stage else -1
            after = [one.visit.node for one in self._visits[stage + 1 : stage + 2]] or [len(self._nodes)]
            index = np.arange(len(self._nodes))
            fit &= (before < index) & (index < after[0])
        return fit

    def _is_pinned(self, stage: int) -> bool:
        instance = self._problem.instance
        own = self._visits[stage].visit.own_layers
        return any(instance.model.layers[index].name in instance.pin for index in own)

    def _seconds(self, stage: int) -> Array:
        """Seconds of the visit on every node, windows left out."""
        figures, visit = self._problem.serial, self._visits[stage].visit
        amount = nearest_float(figures.bytes_to_update(visit.own_layers))
        seconds = self._compute_s(stage)
        server = self._problem.server
        if server is not None:
            returned = nearest_float(figures.bytes_to_return(visit.own_layers))
            seconds += self._moving_s(server, amount, outbound=False)
            seconds += self._moving_s(server, returned, outbound=True)
        elif len(self._visits) > 1:
            before, after = (self._visits[k % len(self._visits)].visit for k in (stage - 1, stage + 1))
            handed_on = nearest_float(figures.bytes_to_update(after.own_layers))
            seconds += self._moving_s(self._nodes[before.node].id, amount, outbound=False)
            seconds += self._moving_s(self._nodes[after.node].id, handed_on, outbound=True)
        return seconds

    def _compute_s(self, stage: int) -> Array:
        figures, visit = self._problem.serial, self._visits[stage].visit
        training = self._problem.instance.training
        flops = (
            training.local_steps * training.batch_size * figures.flops(set(figures.trained(visit.own_layers)))
        )
        seconds = flops / self._column("flops_per_s")
        for nodes in self._timed.values():
            seconds[nodes] = figures.compute_s(self._nodes[nodes[0]], visit.own_layers)
        return seconds

    @cached_property
    def _timed(self) -> dict[str, list[int]]:
        """Nodes whose type has measured timings, by type."""
        found: dict[str, list[int]] = {}
        for index, node in enumerate(self._nodes):
            if self._problem.serial.timings(node) is not None:
                found.setdefault(node.type, []).append(index)
        return found

    def _moving_s(self, other: str, num_bytes: float, *, outbound: bool) -> Array:
        """Seconds of a transfer between every node and another one; outbound: to it."""
        network = self._problem.instance.network
        end = network.nodes[network.index_of[other]]
        own, far = ("uplink_bit_per_s", "downlink_bit_per_s")
        if not outbound:
            own, far = far, own
        rate = np.minimum(self._column(own), _rate(end, far))
        seconds = self._column("latency_s") + end.latency_s + 8.0 * num_bytes / rate
        for source, target in network.link_of:
            if (target if outbound else source) == other:
                index = network.index_of[source if outbound else target]
                seconds[index] = network.transfer_s(source, target, num_bytes)
        return seconds

    def _column(self, name: str) -> Array:
        if name not in self._columns:
            self._columns[name] = np.array([_rate(node, name) for node in self._nodes], dtype=np.float64)
        return self._columns[name]

    @cached_property
    def _columns(self) -> dict[str, Array]:
        return {}


def _rate(node: Node, name: str) -> float:
    """Return a figure of a node; no limit is infinity."""
    value = getattr(node, name)
    return np.inf if value is None else value
