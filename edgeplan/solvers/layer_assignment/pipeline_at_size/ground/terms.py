"""The objective's terms as prices of seconds: what a stage and a link add, besides the bottleneck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.links import Links, Pairs
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Floats, NodeColumns


@dataclass(frozen=True)
class Terms:
    """``bottleneck x bottleneck_s`` plus what stages and links add up to.  # (11)

    Parameters
    ----------
    time
        Price of a second of any stage or link.
    energy, price
        Price of a joule and of a unit of price of one micro-batch, N times the objective's weight.
    bottleneck
        Price of a second of the bottleneck.
    """

    time: float
    energy: float
    price: float
    bottleneck: float

    @classmethod
    def of(cls, problem: LayerAssignment) -> Terms:
        """Return the terms of an instance's objective."""
        weights, num_micro_batches = problem.instance.objective, problem.instance.micro_batches
        return cls.weighted(
            num_micro_batches, weights.time_s, weights.energy_j, weights.price, weights.bottleneck_s
        )

    @classmethod
    def weighted(
        cls, num_micro_batches: int, time_s: float, energy_j: float, price: float, bottleneck_s: float
    ) -> Terms:
        """Return the terms of these weights."""
        return cls(
            time=time_s,
            energy=num_micro_batches * energy_j,
            price=num_micro_batches * price,
            bottleneck=bottleneck_s + (num_micro_batches - 1) * time_s,
        )

    def plus(self, other: Terms | None) -> Terms:
        """Return the sum of both."""
        if other is None:
            return self
        return Terms(
            self.time + other.time,
            self.energy + other.energy,
            self.price + other.price,
            self.bottleneck + other.bottleneck,
        )

    @property
    def has_sum(self) -> bool:
        """Whether anything but the bottleneck counts."""
        return self.time > 0 or self.energy > 0 or self.price > 0

    def of_compute(self, nodes: NodeColumns) -> Floats:
        """Price of a second of computing on each node."""
        return self.time + self.energy * nodes.compute_power_w + self.price * nodes.price_per_s

    def of_links(self, links: Links, senders: NodeColumns, receivers: NodeColumns) -> Pairs:
        """Price of a link between each pair, as a function of its bytes."""
        there = links.one_way(senders, receivers)
        both = self.time + self.price * (senders.price_per_s[:, None] + receivers.price_per_s)
        cost = there.times(both + self.energy * senders.transmit_power_w[:, None])
        if not links.problem.pipeline.is_training:
            return cost
        back = links.one_way(receivers, senders).turned
        return cost + back.times(both + self.energy * receivers.transmit_power_w[None, :])

    def dominance(self, nodes: NodeColumns) -> list[Floats]:
        """Figures of nodes, the lower the better, that matter to the terms besides times."""
        columns = []
        if self.energy > 0 or self.price > 0:
            per_second = self.of_compute(nodes)
            with np.errstate(over="ignore"):
                columns += [per_second / nodes.flops_per_s, per_second]
        if self.energy > 0:
            columns.append(nodes.transmit_power_w)
        if self.price > 0:
            columns.append(nodes.price_per_s)
        return columns
