"""A serial plan as a closed walk, and what each step of it costs.

A step serves one run with one node and gets the parameters from the node of the step before; the
first step gets them from the last. So a plan is a circulation over positions 0..n (n meets 0) whose
states are (position, sender class of the node that ended there). Waiting for windows is not in these
costs, so sums over them bound the time from below.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.models.network import Node
from edgeplan.solvers.layer_assignment.stage_table import Bools, Floats, Ints, StageTable


@dataclass(frozen=True)
class Terms:
    """Time (s), energy (J) and price of steps, arrays of one shape."""

    time_s: Floats
    energy_j: Floats
    price: Floats

    def weighted(self, time_s: float, energy_j: float, price: float) -> Floats:
        """Sum with weights; a weight of zero silences its term."""
        total = np.zeros(self.time_s.shape)
        for weight, term in ((time_s, self.time_s), (energy_j, self.energy_j), (price, self.price)):
            if weight > 0:
                total += weight * term
        return total

    @property
    def are_finite(self) -> bool:
        """Whether no figure is beyond what a float holds."""
        return all(np.isfinite(term.max(initial=0.0)) for term in (self.time_s, self.energy_j, self.price))


def _with_transfer(own: Floats, rate: Floats, seconds: Floats) -> Floats:
    """Add what transfers cost, [classes, nodes] a second; nothing is stored where all is free."""
    if not rate.any() and not own.any():
        return np.broadcast_to(np.float64(0.0), seconds.shape)
    return np.asarray(own[:, None, :] + rate * seconds)


@dataclass(frozen=True)
class Arcs:
    """Steps [run, sender class, node] of a stage table.

    Parameters
    ----------
    table
        Runs and candidate nodes.
    free_transfers
        Whether to leave transfers out, so that all nodes are one sender class; for questions in which
        neither times nor costs matter.
    """

    table: StageTable
    free_transfers: bool = False

    def minimising(self, term: str) -> Arcs:
        """Return the same steps under one term alone as the objective: time_s, energy_j or price."""
        problem = self.table.problem.replace(objective={term: 1.0})
        return Arcs(StageTable(problem, self.table.nodes), self.free_transfers)

    @property
    def is_peer(self) -> bool:
        """Whether parameters go from node to node."""
        return self.table.problem.instance.transport == "peer"

    @property
    def num_nodes(self) -> int:
        """Number of candidate nodes."""
        return len(self.table.nodes)

    @cached_property
    def _candidates(self) -> list[Node]:
        nodes = self.table.problem.instance.network.nodes
        return [nodes[index] for index in self.table.nodes]

    @cached_property
    def class_of(self) -> Ints:
        """Sender class of each node, shape [nodes]; all 0 with a server."""
        if not self.is_peer or self.free_transfers:
            return np.zeros(self.num_nodes, dtype=np.int64)
        classes: dict[object, int] = {}
        keys = [self._sender_key(column) for column in range(self.num_nodes)]
        return np.array([classes.setdefault(key, len(classes)) for key in keys], dtype=np.int64)

    def _sender_key(self, column: int) -> object:
        """Nodes with equal keys cost the same as senders, whoever receives."""
        instance, node = self.table.problem.instance, self._candidates[column]
        if instance.node_order == "given" or node.id in self._linked:
            return column
        return (node.uplink_bit_per_s, node.latency_s, node.transmit_power_w, node.price_per_s)

    @cached_property
    def _linked(self) -> set[str]:
        return {link.source for link in self.table.problem.instance.network.links}

    @cached_property
    def senders(self) -> list[Node]:
        """One node of each class; the server with transport server."""
        instance = self.table.problem.instance
        if instance.server is not None:
            return [instance.network.nodes[instance.network.index_of[instance.server]]]
        first = [int(np.argmax(self.class_of == c)) for c in range(int(self.class_of.max()) + 1)]
        return [self._candidates[column] for column in first]

    @property
    def num_classes(self) -> int:
        """Number of sender classes."""
        return len(self.senders)

    def _latency_and_inverse_rate(self, sources: list[Node], targets: list[Node]) -> tuple[Floats, Floats]:
        """Latency (s) and s/bit for every pair, shape [sources, targets]."""
        network = self.table.problem.instance.network
        up = np.array([0.0 if s.uplink_bit_per_s is None else 1.0 / s.uplink_bit_per_s for s in sources])
        down = np.array(
            [0.0 if t.downlink_bit_per_s is None else 1.0 / t.downlink_bit_per_s for t in targets]
        )
        latency = np.add.outer([s.latency_s for s in sources], [t.latency_s for t in targets])
        inverse_rate = np.maximum.outer(up, down)
        row_of = {node.id: row for row, node in enumerate(sources)}
        column_of = {node.id: column for column, node in enumerate(targets)}
        for link in network.links:
            if link.source in row_of and link.target in column_of:
                place = row_of[link.source], column_of[link.target]
                latency[place] = link.latency_s
                inverse_rate[place] = 0.0 if link.bit_per_s is None else 1.0 / link.bit_per_s
        return latency, inverse_rate

    def _of_nodes(self, attribute: str) -> Floats:
        return np.array([float(getattr(node, attribute)) for node in self._candidates])

    def _of_senders(self, attribute: str) -> Floats:
        return np.array([float(getattr(node, attribute)) for node in self.senders])

    @cached_property
    def transfer_in_s(self) -> Floats:
        """Seconds of the transfer that brings the node up to date, shape [runs, classes, nodes]."""  # (6)
        if self.free_transfers:
            return np.zeros((len(self.table.run_starts), 1, self.num_nodes))
        latency, inverse_rate = self._latency_and_inverse_rate(self.senders, self._candidates)
        return np.asarray(latency + 8.0 * self.table.bytes_in[:, None, None] * inverse_rate)

    @cached_property
    def transfer_out_s(self) -> Floats:
        """Seconds of the return to the server, shape [runs, nodes]; zero in peer mode."""  # (6)
        if self.is_peer:
            return np.zeros((len(self.table.run_starts), self.num_nodes))
        latency, inverse_rate = self._latency_and_inverse_rate(self._candidates, self.senders)
        return np.asarray(latency[:, 0] + 8.0 * self.table.bytes_out[:, None] * inverse_rate[:, 0])

    @cached_property
    @np.errstate(over="ignore", invalid="ignore")  # beyond a float is never allowed
    def terms(self) -> Terms:
        """Cost of every step, without waiting, shape [runs, classes, nodes]."""  # (7), (8)
        own = self.own_terms
        into = self.transfer_in_s
        power = np.repeat(self._of_senders("transmit_power_w")[:, None], self.num_nodes, axis=1)
        price = np.add.outer(self._of_senders("price_per_s"), self._of_nodes("price_per_s"))
        return Terms(
            own.time_s[:, None, :] + into,
            _with_transfer(own.energy_j, power, into),
            _with_transfer(own.price, price, into),
        )

    @cached_property
    @np.errstate(over="ignore", invalid="ignore")
    def own_terms(self) -> Terms:
        """Cost of every stage but its transfer in, shape [runs, nodes]."""  # (7), (8)
        compute, out = self.table.compute_s, self.transfer_out_s
        node_price = self._of_nodes("price_per_s")
        server_price = 0.0 if self.is_peer else float(self.senders[0].price_per_s)
        return Terms(
            compute + out,
            self._of_nodes("compute_power_w") * compute + self._of_nodes("transmit_power_w") * out,
            node_price * compute + (node_price + server_price) * out,
        )

    @cached_property
    def allowed(self) -> Bools:
        """Steps that a plan with more than one stage may take, shape [runs, classes, nodes].

        The run of all layers has its step in `own_terms` in peer mode, where nothing moves.
        """
        allowed: Bools = np.repeat(self.table.allowed[:, None, :], self.num_classes, axis=1)
        if not self.terms.are_finite:
            allowed &= np.isfinite(self.terms.time_s + self.terms.energy_j + self.terms.price)
        if not self.is_peer:
            return allowed
        allowed[self.whole_run] = False
        if self.free_transfers:
            return allowed
        members = np.bincount(self.class_of, minlength=self.num_classes)
        columns = np.arange(self.num_nodes)
        itself = np.zeros((self.num_classes, self.num_nodes), dtype=bool)
        itself[self.class_of, columns] = members[self.class_of] == 1
        allowed &= ~itself[None]  # a node does not follow itself
        if self.table.problem.instance.node_order == "given":
            sender_column = np.array([int(np.argmax(self.class_of == c)) for c in range(self.num_classes)])
            later = sender_column[:, None] < columns[None, :]
            closing = self.table.run_starts == 0
            allowed &= np.where(closing[:, None, None], ~later[None], later[None])
        return allowed

    @property
    def whole_run(self) -> int:
        """Row of the run of all own layers."""
        return self.table.run(0, self.table.num_positions)

    @cached_property
    def alone(self) -> Bools:
        """Nodes that may serve all layers as the only stage in peer mode, shape [nodes]."""
        if not self.is_peer or self.table.problem.instance.limits.min_nodes > 1:
            return np.zeros(self.num_nodes, dtype=bool)
        return np.asarray(self.table.allowed[self.whole_run], dtype=bool)

    @cached_property
    def cost(self) -> Floats:
        """Weighted time, energy and price of each allowed step, infinite for the others."""
        weights = self.table.problem.instance.objective
        cost = self.terms.weighted(weights.time_s, weights.energy_j, weights.price)
        return np.where(self.allowed, cost, math.inf)

    @cached_property
    def cost_alone(self) -> Floats:
        """Weighted cost of serving all layers as the only stage in peer mode, shape [nodes]."""
        weights = self.table.problem.instance.objective
        cost = self.own_terms.weighted(weights.time_s, weights.energy_j, weights.price)
        return np.where(self.alone, cost[self.whole_run], math.inf)
