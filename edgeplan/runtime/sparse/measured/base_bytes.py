"""Memory that a device needs whatever it updates.

Beside what is always there, a step holds activations, their gradients and intermediate results for a while.
The most of that, over the forward and the backward pass of the largest update, serves every update: a
smaller one runs the same operators on the same or smaller tensors, or leaves them out. It is found by
running the step once on tensors without memory, and leaving out what the layers and options account for.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn import functional

from edgeplan.runtime.profiling.dataflow import key
from edgeplan.runtime.sparse.layers import TracedLayer
from edgeplan.runtime.sparse.measured.transients import StorageLives
from edgeplan.runtime.sparse.pruned import PrunedLayer, PrunedReLU
from edgeplan.runtime.sparse.pruning import prune
from edgeplan.runtime.sparse.workload.scoring import scores_of

INDEX_BYTES = 8
"""Of a label, and of a channel in the order of importance."""


def base_bytes(module: nn.Module, layers: Sequence[TracedLayer], batch: Tensor) -> int:
    """Bytes that a training step takes beside what its biases and weights are reckoned to take.

    Parameters
    ----------
    module
        The network; it is not changed. Its scores have one row a sample.
    layers
        Its trainable layers, from input to output.
    batch
        Its input; only shape and type matter.

    Examples
    --------
    >>> from edgeplan.runtime.sparse import traced_layers
    >>> module, batch = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), torch.zeros(16, 4)
    >>> base_bytes(module, traced_layers(module, batch), batch) > 58 * 4 + 16 * 4 * 4
    True
    """
    return resident_bytes(module, layers, batch) + transient_bytes(module, layers, batch)


def resident_bytes(module: nn.Module, layers: Sequence[TracedLayer], batch: Tensor) -> int:
    """Parameters, buffers, the batch with its labels, and the orders of the channels."""
    resident = chain(module.parameters(), module.buffers(), [batch])
    storages = {key(tensor): tensor.untyped_storage().nbytes() for tensor in resident}
    indices = len(batch) + sum(layer.in_channels for layer in layers)
    return int(sum(storages.values())) + INDEX_BYTES * indices


def transient_bytes(module: nn.Module, layers: Sequence[TracedLayer], batch: Tensor) -> int:
    """Most bytes that a step of any update holds for a while.

    A trained layer keeps its channels until it has its gradient, so it is reckoned to take the larger of
    both. For the moment when both are there the smaller counts here.
    """
    step = _largest_update(module, layers)
    images = batch.to("meta")
    labels = torch.zeros(len(batch), dtype=torch.int64, device="meta")
    existing = [*step.parameters(), *step.buffers(), images, labels]
    with _saving(step, existing) as saved, StorageLives(existing) as lives:
        functional.cross_entropy(scores_of(step(images)), labels).backward()  # type: ignore[no-untyped-call]
    in_turn = [
        (channels, key(layer.kept.grad))
        for layer, storages in saved.items()
        if isinstance(layer, PrunedLayer) and layer.kept is not None and layer.kept.grad is not None
        for channels in storages
    ]
    gradients = {key(leaf.grad) for leaf in step.parameters() if leaf.grad is not None}
    peak_bytes: int = lives.peak_bytes(gradients.union(*saved.values()), in_turn)
    return peak_bytes


def _largest_update(module: nn.Module, layers: Sequence[TracedLayer]) -> nn.Module:
    """Prune a copy without memory in which everything is trained."""
    everything = {layer.name: 1.0 for layer in layers}
    orders = {layer.name: torch.arange(layer.in_channels) for layer in layers}
    unallocated = copy.deepcopy(module).to("meta").eval()
    pruned = prune(unallocated, layers, depth=len(layers), ratios=everything, orders=orders)
    return pruned.module.to("meta")


@contextmanager
def _saving(module: nn.Module, existing: Sequence[Tensor]) -> Iterator[dict[nn.Module, set[StorageWeakRef]]]:
    """Collect the storages that each pruned layer and ReLU saves for the backward pass."""
    own = {key(tensor) for tensor in existing}
    saved: dict[nn.Module, set[StorageWeakRef]] = defaultdict(set)
    running: list[nn.Module] = []

    def pack(tensor: Tensor) -> Tensor:
        if running and key(tensor) not in own:
            saved[running[-1]].add(key(tensor))
        return tensor

    def begin(part: nn.Module, _inputs: Any) -> None:
        running.append(part)

    def end(_part: nn.Module, _inputs: Any, _output: Any) -> None:
        running.pop()

    for part in module.modules():
        if isinstance(part, PrunedLayer | PrunedReLU):
            part.register_forward_pre_hook(begin)
            part.register_forward_hook(end)
    with saved_tensors_hooks(pack, lambda tensor: tensor):
        yield saved
