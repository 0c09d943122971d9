"""Equations (4), (5) and (6): memory, compute time and bytes moved of a serial stage."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from edgeplan.models.layer_assignment.stage_figures import StageFigures
from edgeplan.models.network import Node, Timing
from edgeplan.models.numbers import exactly


@dataclass(frozen=True)
class SerialFigures(StageFigures):
    """Equations (4) to (6) of one instance with schedule serial."""

    def trained(self, own_layers: Iterable[int]) -> tuple[int, ...]:
        """Indices of T for a stage with these own layers."""
        shared = self.shared if self.instance.train_shared else ()
        return tuple(sorted({*own_layers, *shared}))

    @cached_property
    def frozen_weight_bytes(self) -> Fraction:
        """Bytes of a weight that is not trained, f."""
        frozen = self.instance.training.frozen_weight_bytes
        return self.weight_bytes if frozen is None else exactly(frozen)

    def memory_bytes(self, own_layers: Sequence[int], stages_to_end: int = 1) -> int:
        """Memory of the stage, rounded up to a whole byte."""  # (4)
        layers, trained = self.instance.model.layers, set(self.trained(own_layers))
        first = min(trained, default=len(layers))
        outside = [index for index in range(len(layers)) if index not in trained]
        saved = sum(layers[index].saved_bytes for index in trained)
        passed = sum(layers[index].saved_frozen_bytes for index in outside if index > first)
        largest = max(layer.output_bytes for layer in layers)
        return math.ceil(
            self.instance.training.reserve_bytes
            + self.frozen_weight_bytes * self.parameters(outside)
            + self.trained_weight_bytes * self.parameters(trained)
            + self.instance.training.batch_size * (saved + passed + 2 * largest)
        )

    def compute_s(self, node: Node, own_layers: Sequence[int]) -> float:
        """Compute time of the stage on `node`, in seconds."""  # (5)
        training, trained = self.instance.training, set(self.trained(own_layers))
        samples = training.local_steps * training.batch_size
        timings = self.timings(node)
        if timings is not None:
            return samples * self._measured_s(timings, trained)
        return samples * self.flops(trained) / node.flops_per_s

    def flops(self, trained: set[int]) -> float:
        """FLOPs of one sample: forward everywhere, backward down to the first trained layer."""  # (5)
        layers = self.instance.model.layers
        first = min(trained, default=len(layers))
        return (
            sum(layer.forward_flops for layer in layers)
            + sum(layer.input_gradient_flops for layer in layers[first + 1 :])
            + sum(layers[index].weight_gradient_flops for index in sorted(trained))
        )

    @staticmethod
    def _measured_s(timings: list[Timing], trained: set[int]) -> float:
        first = min(trained, default=len(timings))
        backward = sum(
            timing.backward_s if index in trained else timing.backward_s / 2
            for index, timing in enumerate(timings)
            if index >= first
        )
        return sum(timing.forward_s for timing in timings) + backward

    def bytes_to_update(self, own_layers: Sequence[int]) -> Fraction:
        """Bytes that bring the stage's node up to date, D."""  # (6)
        own = set(own_layers)
        changed = [index for index in self.own if index not in own]
        if self.instance.train_shared:
            changed += self.shared
        return self.weight_bytes * self.parameters(changed)

    def bytes_to_return(self, own_layers: Sequence[int]) -> Fraction:
        """Bytes that the server gets after the visit."""  # (6)
        return self.weight_bytes * self.parameters(self.trained(own_layers))
