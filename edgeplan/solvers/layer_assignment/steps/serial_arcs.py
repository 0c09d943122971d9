"""Steps of a serial round: a closed walk, in which parameters come from the node before or the server.

The first step gets its parameters from the last node, so position n meets position 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.models.network import Node
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs, Route, Steps, Terms, with_transfer
from edgeplan.solvers.layer_assignment.steps.serial_table import SerialTable
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools, Floats


@dataclass(frozen=True)
class SerialArcs(Arcs):
    """Equations (6) to (8) over a table of steps; the server is the one class of transport server."""

    table: SerialTable

    @property
    def is_cyclic(self) -> bool:
        """Whether the first step comes from the class of the last node."""
        return True

    @property
    def is_peer(self) -> bool:
        """Whether parameters go from node to node."""
        return self.table.problem.instance.transport == "peer"

    @property
    def source(self) -> int | None:
        """The class from which the only stage between peers comes, for which nothing moves."""
        return len(self.senders) if self.is_peer else None

    def first_sender(self, route: Route) -> int:
        """Sender class of the first stage."""
        if self.source is not None and len(route) == 1:
            return self.source
        return int(self.class_of[route[-1][2]])

    @property
    def _nodes_are_one_class(self) -> bool:
        return self.free_transfers or not self.is_peer

    def _link_key(self, node: Node) -> tuple[object, ...]:
        return (node.uplink_bit_per_s, node.latency_s)

    @cached_property
    def senders(self) -> list[Node]:
        """One node of each class but the source; the server with transport server."""
        network, server = self.table.problem.instance.network, self.table.problem.server
        return super().senders if server is None else [network.nodes[network.index_of[server]]]

    @cached_property
    def transfer_in_s(self) -> Floats:
        """Seconds of the transfer that brings the node up to date, shape [runs, classes, nodes]."""  # (6)
        shape = len(self.table.runs), self.num_classes, self.num_nodes
        if self.free_transfers:
            return np.zeros(shape)
        latency, inverse_rate = self.latency_and_inverse_rate(self.senders, self.candidates)
        seconds = np.zeros(shape)
        seconds[:, : len(self.senders)] = latency + 8.0 * self.table.bytes_in[:, None, None] * inverse_rate
        return seconds

    @cached_property
    def transfer_out_s(self) -> Floats:
        """Seconds of the return to the server, shape [runs, nodes]; zero in peer mode."""  # (6)
        if self.is_peer:
            return np.zeros((len(self.table.runs), self.num_nodes))
        latency, inverse_rate = self.latency_and_inverse_rate(self.candidates, self.senders)
        return np.asarray(latency[:, 0] + 8.0 * self.table.bytes_out[:, None] * inverse_rate[:, 0])

    @cached_property
    @np.errstate(over="ignore", invalid="ignore")  # beyond a float is never allowed
    def terms(self) -> Terms:
        """Cost of every step, without waiting, shape [runs, classes, nodes]."""  # (7), (8)
        own = self._own_terms
        into = self.transfer_in_s
        power = np.repeat(self.of_senders("transmit_power_w")[:, None], self.num_nodes, axis=1)
        price = np.add.outer(self.of_senders("price_per_s"), self.table.of_nodes("price_per_s"))
        return Terms(
            own.time_s[:, None, :] + into,
            with_transfer(own.energy_j, power, into),
            with_transfer(own.price, price, into),
        )

    @property
    def _own_terms(self) -> Terms:
        """Cost of every stage but its transfer in, shape [runs, nodes]."""  # (7), (8)
        compute, out, of_nodes = self.table.compute_s, self.transfer_out_s, self.table.of_nodes
        server_price = 0.0 if self.is_peer else float(self.senders[0].price_per_s)
        price = of_nodes("price_per_s")
        return Terms(
            compute + out,
            of_nodes("compute_power_w") * compute + of_nodes("transmit_power_w") * out,
            price * compute + (price + server_price) * out,
        )

    @cached_property
    def allowed(self) -> Bools:
        """Steps that a plan may take, shape [runs, classes, nodes]."""
        allowed: Bools = np.repeat(self.table.allowed[:, None, :], self.num_classes, axis=1)
        if not self.terms.are_finite:
            allowed &= np.isfinite(self.terms.time_s + self.terms.energy_j + self.terms.price)
        if self.source is None:
            return allowed
        whole = np.arange(len(self.table.runs)) == self.table.whole_run
        one_stage = self.table.problem.instance.limits.min_nodes <= 1
        allowed[:, self.source] &= (whole & one_stage)[:, None]
        others = allowed[:, : self.source]
        others[whole] = False
        if self.free_transfers:
            return allowed
        others &= self.without_itself()[: self.source]
        if self.table.problem.instance.node_order == "given":
            others &= self._in_order()
        return allowed

    def _in_order(self) -> Bools:
        """Steps to a later node; the first step comes from one that is not earlier."""
        sender = np.array([int(np.argmax(self.class_of == c)) for c in range(len(self.senders))])
        later = sender[:, None] < np.arange(self.num_nodes)[None, :]
        closing = self.table.run_starts == 0
        return np.where(closing[:, None, None], ~later[None], later[None])

    @property
    def peak_s(self) -> Floats:
        """What a step alone makes the bottleneck at least, shape [runs, classes, nodes]."""
        return np.broadcast_to(self.table.compute_s[:, None, :], self.terms.time_s.shape)

    def bottleneck_s(self, steps: Steps) -> float:
        """Return the largest compute time."""
        return max(float(self.table.compute_s[row, column]) for row, _, column in steps)
