"""Count what autograd keeps of a batch, in any module."""

from __future__ import annotations

from itertools import chain

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef

from edgeplan.runtime.profiling.dataflow import key


def count_saved_bytes(module: nn.Module, batch: Tensor) -> int:
    """Run the module forward and count the bytes that it keeps for the backward pass.

    Each storage counts once and whole, also where a view of it is saved; parameters and buffers are left
    out. The module runs in the mode that it is in.

    Parameters
    ----------
    module
        The network.
    batch
        Its input.

    Examples
    --------
    >>> import torch
    >>> count_saved_bytes(nn.Sequential(nn.Linear(8, 4), nn.Tanh()), torch.zeros(2, 8))
    96
    """
    own = {key(tensor) for tensor in chain(module.parameters(), module.buffers())}
    saved: dict[StorageWeakRef, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        if key(tensor) not in own:
            saved[key(tensor)] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        # The output holds the graph, so no storage is freed and its place taken while others are counted.
        output = module(batch)
    num_bytes = sum(saved.values())
    del output
    return num_bytes
