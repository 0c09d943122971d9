"""Peak of live tensors of a stage, measured beside equation (6), or (9) of layer_assignment.

A copy of the stage goes through as many forward passes as it holds micro-batches, their backward passes, and
its optimizer's step, twice, since the optimizer's state exists from the second step on. PyTorch's pipelining
also keeps a buffer for every message of a batch, which no equation counts, and neither is counted here.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from edgeplan.runtime.learning.memory import MEASURED_STEPS, LiveTensors
from edgeplan.runtime.pipeline.stages.stage_process import StageProcess


def peak_of_stage(
    process: StageProcess, module: nn.Module, given: Tensor, in_flight: int, *, is_first: bool
) -> int:
    """Return the peak in bytes.

    Parameters
    ----------
    process
        Whose optimizer it is.
    module
        The stage.
    given
        A micro-batch as it comes in.
    in_flight
        Micro-batches that the stage holds.
    is_first
        Whether nothing in front of it wants a gradient.
    """
    trial = copy.deepcopy(module).train()
    optimizer = process.optimizer(trial)
    with LiveTensors(trial.parameters()) as live:
        for _ in range(MEASURED_STEPS):
            inputs = (torch.zeros_like(given).requires_grad_(not is_first) for _ in range(in_flight))
            outputs = [trial(one) for one in inputs]
            while outputs:
                output = outputs.pop(0)
                output.backward(torch.zeros_like(output))
            if optimizer is not None:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
    return int(live.peak_bytes)
