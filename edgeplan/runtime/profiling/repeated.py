"""What layers save that is saved already: a ReLU's output is the next convolution's input, kept once.

A profile counts such a storage in both layers, for either may be the only trained one. Which layers share
one depends on the operators, not on sizes: ReLU saves its output, GELU and ReLU6 save their input.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef

from edgeplan.runtime.profiling.cutting import RESERVED, cut
from edgeplan.runtime.profiling.dataflow import key
from edgeplan.runtime.profiling.tracking import Tracker


def repeated_saved_bytes(module: nn.Module, order: Sequence[str], inputs: torch.Tensor) -> list[int]:
    """Run a network forward and return, by layer, the bytes it saves that an earlier layer or `inputs` has.

    Parameters
    ----------
    module
        The network, with gradients required of what is trained; it runs in the mode that it is in.
    order
        Names of its layers, as they run.
    inputs
        A batch.

    Examples
    --------
    >>> module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> repeated_saved_bytes(module, ["0", "2"], torch.zeros(10, 4))
    [160, 320]
    """
    layers = cut(module, order)
    tracker = Tracker(layers[0].name)
    parameters = {key(parameter) for parameter in module.parameters()}
    saved_by = {key(inputs): RESERVED}
    repeated: dict[str, dict[StorageWeakRef, int]] = {layer.name: {} for layer in layers}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = key(tensor)
        if storage not in parameters and saved_by.setdefault(storage, tracker.current) != tracker.current:
            repeated[tracker.current][storage] = tensor.untyped_storage().nbytes()
        return tensor

    with tracker.watching(module, layers), saved_tensors_hooks(pack, lambda tensor: tensor):
        # The output holds the graph, so no storage is freed and its place taken while others are counted.
        output = module(inputs)
    del output
    return [sum(repeated[layer.name].values()) for layer in layers]
