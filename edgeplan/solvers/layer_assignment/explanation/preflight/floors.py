"""What any plan needs at least, by arithmetic: memory of layers, and time, energy and price of a plan.

All floors hold for both schedules and every choice of stages. They are far from tight: they serve to say
at once what can never work.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.network import Node

Rate = Callable[[Node], float]
"""What a second of computing on a node costs."""


@dataclass(frozen=True)
class Floors:
    """Floors of one instance.

    Parameters
    ----------
    problem
        The instance.
    """

    problem: LayerAssignment

    @cached_property
    def workers(self) -> list[Node]:
        """Nodes that may serve: not the server, and not one that is never available."""
        serial = not self.problem.is_pipeline
        return [
            node
            for node in self.problem.instance.network.nodes
            if node.id != self.problem.server and not (serial and node.available_s == ())
        ]

    @property
    def num_layers(self) -> int:
        """Number of layers to assign."""
        return len(self.problem.figures.own)

    @cached_property
    def stages(self) -> int:
        """Fewest stages of a plan."""
        limits, pinned = self.problem.instance.limits, {*self.problem.instance.pin.values()}
        most = limits.max_layers_per_node or self.num_layers
        return max(limits.min_nodes, len(pinned), math.ceil(self.num_layers / most))

    @cached_property
    def _training_a_layer_bytes(self) -> list[Fraction]:
        """What a layer adds to the memory of a stage that owns it, at least."""  # (4), (9)
        problem, layers = self.problem, self.problem.instance.model.layers
        own = [layers[index] for index in problem.figures.own]
        if problem.is_pipeline:
            figures = problem.pipeline
            per_parameter = figures.trained_weight_bytes if figures.is_training else figures.weight_bytes
            kept = figures.in_flight(1) * figures.micro_batch_size if figures.is_training else 0
            return [per_parameter * layer.parameters + kept * layer.saved_bytes for layer in own]
        extra = problem.serial.trained_weight_bytes - problem.serial.frozen_weight_bytes
        batch = problem.instance.training.batch_size
        return [extra * layer.parameters + batch * layer.saved_bytes for layer in own]

    @cached_property
    def layer_bytes(self) -> list[int]:
        """Least memory of a stage that owns each layer, whatever else it owns."""
        return [self.least_bytes((index,)) for index in self.problem.figures.own]

    def least_bytes(self, own_layers: Sequence[int]) -> int:
        """Least memory of a stage that owns these layers, whatever else it owns."""  # (4), (9)
        return math.floor(self.problem.figures.memory_bytes(own_layers) + self._less_bytes)

    @cached_property
    def _less_bytes(self) -> Fraction:
        """By how much more layers may lessen a stage's memory, where a frozen layer needs more."""
        if self.problem.is_pipeline:
            return Fraction(0)
        layers, batch = self.problem.instance.model.layers, self.problem.instance.training.batch_size
        trained = zip(self.problem.figures.own, self._training_a_layer_bytes, strict=True)
        added = (need - batch * layers[index].saved_frozen_bytes for index, need in trained)
        return sum((min(Fraction(0), more) for more in added), Fraction(0))

    @cached_property
    def total_bytes(self) -> tuple[int, int] | None:
        """What the layers add together, and what the roomiest nodes have for it.

        None where a layer trained may need less than frozen, so that the sum says nothing.
        """  # (4), (9)
        added = self._training_a_layer_bytes
        if any(need < 0 for need in added):
            return None
        most = min(self.problem.instance.limits.max_nodes or self.num_layers, self.num_layers)
        roomiest = heapq.nlargest(most, (node.memory_bytes for node in self.workers))
        free = sum((max(Fraction(0), memory - self._base_bytes) for memory in roomiest), Fraction(0))
        return math.floor(sum(added)), math.ceil(free)

    @cached_property
    def _base_bytes(self) -> Fraction:
        """What a stage needs before it owns a layer, at least."""  # (4), (9)
        problem, layers = self.problem, self.problem.instance.model.layers
        training = problem.instance.training
        if problem.is_pipeline:
            return Fraction(training.reserve_bytes)
        figures = problem.serial
        shared = figures.shared if problem.instance.train_shared else ()
        extra = figures.trained_weight_bytes - figures.frozen_weight_bytes
        saved = sum(layers[index].saved_bytes for index in shared)
        largest = 2 * max(layer.output_bytes for layer in layers)
        return (
            training.reserve_bytes
            + figures.frozen_weight_bytes * figures.parameters(range(len(layers)))
            + extra * figures.parameters(shared)
            + training.batch_size * (saved + largest)
        )

    def computing(self, rate: Rate) -> float:
        """Least cost of the computing of a plan when a second on a node costs `rate`."""  # (5), (10)
        problem = self.problem
        least = [self._least(rate, index) for index in problem.figures.own]
        if problem.is_pipeline:
            batches = problem.instance.micro_batches
            return sum(least) if batches == 1 else self._of_batches(rate, least, batches)
        return self.stages * min(least, default=0.0)

    @staticmethod
    def _of_batches(rate: Rate, least: list[float], batches: int) -> float:
        """A batch's time has the filling and the longest stage again and again; its energy and price all."""
        return sum(least) + (batches - 1) * (max(least) if rate is seconds else sum(least))

    def _least(self, rate: Rate, layer: int) -> float:
        figures = self.problem.figures
        return min(
            (
                rate(node) * figures.compute_s(node, (layer,)) if rate(node) else 0.0
                for node in self._representatives(rate)
            ),
            default=math.inf,
        )

    def _representatives(self, rate: Rate) -> list[Node]:
        """The cheapest node of each type that was measured, and of the others together."""
        figures, cheapest = self.problem.figures, dict[str | None, tuple[float, Node]]()
        for node in self.workers:
            measured = figures.timings(node) is not None
            kind = node.type if measured else None
            cost = rate(node) if measured else rate(node) / node.flops_per_s
            if kind not in cheapest or cost < cheapest[kind][0]:
                cheapest[kind] = cost, node
        return [node for _, node in cheapest.values()]


def seconds(node: Node) -> float:
    """Rate of time: a second costs a second."""
    return 1.0


def joules(node: Node) -> float:
    """Rate of energy."""
    return node.compute_power_w


def price(node: Node) -> float:
    """Rate of price."""
    return node.price_per_s
