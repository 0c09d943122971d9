"""Peak of live tensors of a stage, measured beside equation (6).

A copy of the stage goes through as many forward passes as it holds micro-batches, their backward passes, and
its optimizer's step, twice, since the optimizer's state exists from the second step on. PyTorch's pipelining
also keeps a buffer for every message of a slot, which (6) does not count, and neither is counted here.
"""

from __future__ import annotations

import copy

import torch

from edgeplan.runtime.pipeline.process import ParticipantProcess
from edgeplan.runtime.pipeline.slots import PlannedCluster, PlannedSlot
from edgeplan.runtime.snake.device.memory import MEASURED_STEPS, LiveTensors
from edgeplan.runtime.snake.device.workload import optimizer_for


def measure(process: ParticipantProcess, slot: PlannedSlot, cluster: PlannedCluster) -> None:
    """Note the peak of this device's stage in a slot."""
    training = process.job.problem.instance.training
    index = cluster.pipeline.index(process.rank)
    planned, is_first = cluster.stages[index], index == 0
    segment = copy.deepcopy(process.chain.segment(planned.layers)).train()
    optimizer = optimizer_for(
        list(segment.parameters()), training.optimizer_bytes, process.job.settings.learning_rate
    )
    shape = process.hidden(training.micro_batch_size)
    with LiveTensors(segment.parameters()) as live:
        for _ in range(MEASURED_STEPS):
            outputs = [
                segment(torch.zeros(shape).requires_grad_(not is_first)) for _ in range(planned.in_flight)
            ]
            while outputs:
                outputs.pop(0).backward(torch.zeros(shape))
            if optimizer is not None:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
    process.note("measured", slot=slot.number, memory_bytes=int(live.peak_bytes))
