"""Equations (9) and (10): memory, compute time and activations of a pipeline stage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from edgeplan.models.layer_assignment.stage_figures import StageFigures
from edgeplan.models.network import Node


@dataclass(frozen=True)
class PipelineFigures(StageFigures):
    """Equations (9) and (10) of one instance with schedule pipeline."""

    @property
    def is_training(self) -> bool:
        """Whether gradients flow back."""
        return self.instance.training.pass_ == "training"

    @property
    def micro_batch_size(self) -> int:
        """Samples of a micro-batch, b."""
        return self.instance.training.batch_size // self.instance.micro_batches

    def in_flight(self, stages_to_end: int) -> int:
        """Micro-batches whose activations a stage holds, f.

        Parameters
        ----------
        stages_to_end
            Stages from this one to the last, K - k + 1.
        """  # (9)
        num_micro_batches = self.instance.micro_batches
        return (
            num_micro_batches if self.instance.in_flight == "gpipe" else min(num_micro_batches, stages_to_end)
        )

    def memory_bytes(self, own_layers: Sequence[int], stages_to_end: int = 1) -> int:
        """Memory of the stage, rounded up to a whole byte."""  # (9)
        layers, parameters = self.instance.model.layers, self.parameters(own_layers)
        around = layers[max(own_layers[0] - 1, 0) : own_layers[-1] + 1]
        buffers = 2 * self.micro_batch_size * max(layer.output_bytes for layer in around)
        if not self.is_training:
            return math.ceil(self.instance.training.reserve_bytes + self.weight_bytes * parameters + buffers)
        saved = sum(layers[index].saved_bytes for index in own_layers)
        return math.ceil(
            self.instance.training.reserve_bytes
            + self.trained_weight_bytes * parameters
            + self.in_flight(stages_to_end) * self.micro_batch_size * saved
            + buffers
        )

    def compute_s(self, node: Node, own_layers: Sequence[int]) -> float:
        """Seconds of one micro-batch on `node`, t."""  # (10)
        timings = self.timings(node)
        if timings is not None:
            own = [timings[index] for index in own_layers]
            seconds = sum(timing.forward_s for timing in own)
            if self.is_training:
                seconds += sum(timing.backward_s for timing in own)
            return self.micro_batch_size * seconds
        return self.micro_batch_size * sum(self.layer_flops[index] for index in own_layers) / node.flops_per_s

    @cached_property
    def layer_flops(self) -> tuple[float, ...]:
        """FLOPs of one sample in each layer, forward alone with inference."""  # (10)
        return tuple(
            layer.forward_flops + layer.input_gradient_flops + layer.weight_gradient_flops
            if self.is_training
            else layer.forward_flops
            for layer in self.instance.model.layers
        )

    @cached_property
    def cut_bytes(self) -> tuple[int, ...]:
        """Bytes that a micro-batch sends over the cut before each layer, b X, and 0 behind the last.

        A tensor crosses every cut between its layer and the last one that reads it.
        """  # (10)
        layers = self.instance.model.layers
        index_of = {layer.name: index for index, layer in enumerate(layers)}
        last_reader = list(range(len(layers)))
        for index, layer in enumerate(layers):
            read = [index - 1] if layer.inputs is None else [index_of.get(name, -1) for name in layer.inputs]
            for source in read:
                if source >= 0:
                    last_reader[source] = index
        crossing = [0] * (len(layers) + 1)
        for index, last in enumerate(last_reader):
            for cut in range(index + 1, last + 1):
                crossing[cut] += layers[index].output_bytes
        return tuple(self.micro_batch_size * total for total in crossing)
