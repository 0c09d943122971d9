"""Steps of a pipeline: a path from the source, in which activations come from the node before.

A link's time counts at the step behind it: activations one way and gradients back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.models.network import Node
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs, Route, Steps, Terms, with_transfer
from edgeplan.solvers.layer_assignment.steps.pipeline_table import PipelineTable
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools, Floats, Ints


@dataclass(frozen=True)
class PipelineArcs(Arcs):
    """Equations (10) and (11) over a table of steps."""

    table: PipelineTable

    @property
    def is_cyclic(self) -> bool:
        """Whether the first step comes from the class of the last node."""
        return False

    @property
    def source(self) -> int:
        """The class from which the first stage comes."""
        return len(self.senders)

    def first_sender(self, route: Route) -> int:
        """Sender class of the first stage."""
        return self.source

    @property
    def first_senders(self) -> Ints:
        """Sender classes that a first step may have."""
        return np.array([self.source])

    def _link_key(self, node: Node) -> tuple[object, ...]:
        return (node.uplink_bit_per_s, node.downlink_bit_per_s, node.latency_s)

    @property
    def _linked(self) -> set[str]:
        links = self.table.problem.instance.network.links
        return {end for link in links for end in (link.source, link.target)}

    def _from_source(self, seconds: Floats) -> Floats:
        """Add the source, from which nothing comes, to [positions, classes, nodes]."""
        return np.concatenate([seconds, np.zeros((len(seconds), 1, self.num_nodes))], axis=1)

    @cached_property
    def _forward_s(self) -> Floats:
        """Seconds of the activations over the cut before each position, [positions, classes, nodes]."""
        return self._from_source(self._move_s(*self.latency_and_inverse_rate(self.senders, self.candidates)))

    @cached_property
    def _backward_s(self) -> Floats:
        """Seconds of the gradients that go back, [positions, classes, nodes]."""
        if not self.table.figures.is_training:
            return np.zeros_like(self._forward_s)
        latency, inverse_rate = self.latency_and_inverse_rate(self.candidates, self.senders)
        return self._from_source(self._move_s(latency.T, inverse_rate.T))

    def _move_s(self, latency: Floats, inverse_rate: Floats) -> Floats:
        num_bytes = self.table.cut_bytes[: self.table.num_positions, None, None]
        if self.free_transfers:
            return np.zeros((len(num_bytes), *latency.shape))
        return np.asarray(latency + 8.0 * num_bytes * inverse_rate)

    @property
    def bottleneck_decides(self) -> bool:
        """Whether only the longest stage or link counts, neither sums over the plan nor an order."""
        instance, weights = self.table.problem.instance, self.weights
        limits = (
            instance.limits.deadline_s,
            instance.limits.budget_energy_j,
            instance.limits.budget_price,
        )
        sums = max(weights.time_s, weights.energy_j, weights.price) > 0 or limits != (None, None, None)
        return self._overlaps and instance.node_order == "free" and not sums

    @property
    def longest_link_s(self) -> float:
        """Time that no link takes longer than."""
        num_bytes = self.table.cut_bytes.max()
        forward = self.latency_and_inverse_rate(self.senders, self.candidates)
        backward = self.latency_and_inverse_rate(self.candidates, self.senders)
        longest = sum(
            float((latency + 8.0 * num_bytes * rate).max()) for latency, rate in (forward, backward)
        )
        return longest * (1 + 1e-9)

    @cached_property
    def link_s(self) -> Floats:
        """Time of the link before each position, u, shape [positions, classes, nodes]."""  # (10)
        return self._forward_s + self._backward_s

    @cached_property
    @np.errstate(over="ignore", invalid="ignore")  # beyond a float is never allowed
    def terms(self) -> Terms:
        """Cost of every step, shape [runs, classes, nodes]."""  # (11)
        starts, compute, of_nodes = self.table.run_starts, self.table.compute_s, self.table.of_nodes
        count = self.table.problem.instance.micro_batches
        link = self.link_s[starts]
        price = np.add.outer(self.of_senders("price_per_s"), of_nodes("price_per_s"))
        sending = (
            self.of_senders("transmit_power_w")[:, None] * self._forward_s
            + of_nodes("transmit_power_w") * self._backward_s
        )
        energy = of_nodes("compute_power_w") * compute
        return Terms(
            compute[:, None, :] + link,
            with_transfer(count * energy, np.array(float(count * sending.any())), sending[starts]),
            with_transfer(count * of_nodes("price_per_s") * compute, count * price, link),
        )

    @cached_property
    def allowed(self) -> Bools:
        """Steps that a plan may take, shape [runs, classes, nodes]."""
        allowed: Bools = np.repeat(self.table.allowed[:, None, :], self.num_classes, axis=1)
        if not self.terms.are_finite:
            allowed &= np.isfinite(self.terms.time_s + self.terms.energy_j + self.terms.price)
        first = self.table.run_starts == 0
        allowed[:, self.source] &= first[:, None]
        others = allowed[:, : self.source]
        others[first] = False
        if self.free_transfers:
            return allowed
        others &= self.without_itself()[: self.source]
        if self.table.problem.instance.node_order == "given":
            sender = np.array([int(np.argmax(self.class_of == c)) for c in range(self.source)])
            others &= sender[:, None] < np.arange(self.num_nodes)[None, :]
        return allowed

    @property
    def peaks_in_time(self) -> int:
        """How often the bottleneck counts in the time."""
        return self.table.problem.instance.micro_batches - 1

    @property
    def _overlaps(self) -> bool:
        return self.table.problem.instance.overlap

    @cached_property
    def peak_s(self) -> Floats:
        """What a step alone makes the bottleneck at least, shape [runs, classes, nodes]."""  # (11)
        compute, link = self.table.compute_s[:, None, :], self.link_s[self.table.run_starts]
        if self._overlaps:
            return np.maximum(compute, link)
        return np.asarray(compute + link + self._least_behind_s[self.table.run_ends][:, None, self.class_of])

    @cached_property
    def _least_behind_s(self) -> Floats:
        """Least time of the link behind a node that ends at a position, shape [n + 1, classes]."""
        n = self.table.num_positions
        least = np.zeros((n + 1, self.num_classes))
        for start in range(n):
            rows = slice(self.table.run(start, start + 1), self.table.run(start, n) + 1)
            possible = self.allowed[rows].any(axis=0)
            least[start] = np.where(possible, self.link_s[start], math.inf).min(axis=1, initial=math.inf)
        return least

    @property
    def shared_peaks_s(self) -> tuple[Floats, Floats] | None:
        """What a step, and the link behind it, add to the bottleneck without overlap."""  # (11)
        if self._overlaps:
            return None
        link = self.link_s[self.table.run_starts]
        return self.table.compute_s[:, None, :] + link, link

    def bottleneck_s(self, steps: Steps) -> float:
        """Return the largest stage or link time, or the largest sum around a stage without overlap."""
        starts = self.table.run_starts
        computing = [float(self.table.compute_s[row, column]) for row, _, column in steps]
        links = [float(self.link_s[starts[row], sender, column]) for row, sender, column in steps]
        if self._overlaps:
            return max(*computing, *links)
        behind = [*links[1:], 0.0]
        return max(sum(figures) for figures in zip(links, computing, behind, strict=True))
