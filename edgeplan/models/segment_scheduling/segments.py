"""Equations (1) and (6): time and memory of a run of blocks on a device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate

from edgeplan.models.numbers import exactly, nearest_float
from edgeplan.models.segment_scheduling.instance import Device, SegmentSchedulingInstance


@dataclass(frozen=True)
class Segments:
    """Figures of runs of blocks; a run is first and last block, both included.

    Parameters
    ----------
    instance
        A valid instance.
    """

    instance: SegmentSchedulingInstance

    @property
    def num_blocks(self) -> int:
        """Blocks of the encoder."""
        return len(self.instance.model.layers)

    @cached_property
    def block_flops(self) -> tuple[float, ...]:
        """FLOPs of a micro-batch in each block."""
        size = self.instance.training.micro_batch_size
        return tuple(
            size * (block.forward_flops + block.input_gradient_flops + block.weight_gradient_flops)
            for block in self.instance.model.layers
        )

    def compute_s(self, device: Device, first: int, last: int) -> float:
        """Seconds of one micro-batch, t."""  # (1)
        return device.overhead_s + math.fsum(self.block_flops[first : last + 1]) / device.flops_per_s

    @cached_property
    def parameters_before(self) -> tuple[int, ...]:
        """Parameters of the blocks before each, and of all."""
        return (0, *accumulate(block.parameters for block in self.instance.model.layers))

    @cached_property
    def saved_before(self) -> tuple[int, ...]:
        """Bytes of a sample that autograd keeps for the blocks before each, and for all."""
        return (0, *accumulate(block.saved_bytes for block in self.instance.model.layers))

    def in_flight(self, micro_batches: int, stages_to_end: int) -> int:
        """Micro-batches that a stage holds, f; `stages_to_end` counts the stage itself."""  # (6)
        if self.instance.training.in_flight == "gpipe":
            return micro_batches
        return min(micro_batches, 2 * stages_to_end)

    def memory_bytes(self, first: int, last: int, in_flight: int) -> int:
        """Memory of the stage, rounded up to a whole byte."""  # (6)
        parameters = self.parameters_before[last + 1] - self.parameters_before[first]
        saved = self.saved_before[last + 1] - self.saved_before[first]
        micro_batch = in_flight * self.instance.training.micro_batch_size
        return math.ceil(self._bytes_per_parameter * parameters + micro_batch * saved)

    @cached_property
    def _bytes_per_parameter(self) -> Fraction:
        training = self.instance.training
        return (
            exactly(training.weight_bytes)
            + exactly(training.gradient_bytes)
            + exactly(training.optimizer_bytes)
        )

    def hop_bits(self, last: int) -> float:
        """Bits of a micro-batch behind a block: the activation, and its gradient back."""  # (2), (3)
        return (
            2.0 * 8 * self.instance.training.micro_batch_size * self.instance.model.layers[last].output_bytes
        )

    @cached_property
    def upload_bits(self) -> float:
        """Bits of all parameters."""  # (3)
        weight_bytes = exactly(self.instance.training.weight_bytes)
        return nearest_float(8 * weight_bytes * self.parameters_before[-1])

    @property
    def uploads(self) -> bool:
        """Whether control units send any bits; without them uplinks take no band and no power."""
        return self.upload_bits > 0 or self.hop_bits(self.num_blocks - 1) > 0
