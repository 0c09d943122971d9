"""Which layers read what a layer made, seen from the operators' arguments.

A tensor is followed by its storage, so views and in-place operators do not hide where it came from. Only what
carries a gradient counts as an activation: masks and tables of positions can be made anew anywhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch._ops import OpOverload
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._pytree import tree_leaves

from edgeplan.runtime.profiling.cutting import RESERVED

Layer = str | None
Extent = tuple[int, int]


class Dataflow:
    """Producers of storages, and what of them later layers read.

    A layer is None before the first has begun.
    """

    def __init__(self, inputs: Iterable[torch.Tensor], ignored: Iterable[torch.Tensor]) -> None:
        # Weak references keep an address from being used again, without keeping the memory.
        self._producer: dict[StorageWeakRef, Layer] = {key(tensor): RESERVED for tensor in inputs}
        self._ignored = {key(tensor) for tensor in ignored}
        self._read: dict[Layer, dict[StorageWeakRef, Handover]] = defaultdict(dict)
        self.edges: dict[Layer, dict[Layer, set[StorageWeakRef]]] = defaultdict(lambda: defaultdict(set))

    def observe(self, layer: Layer, operator: OpOverload, arguments: Any, result: Any) -> None:
        """Note one operator call of `layer`."""
        for tensor in tensors_in(arguments):
            producer = self._producer.get(key(tensor), layer)
            if producer != layer and (tensor.requires_grad or producer == RESERVED):
                self._hand_over(tensor, producer, layer)
        for tensor in _written(operator, arguments):
            self._producer[key(tensor)] = layer
        for tensor in tensors_in(result):
            if key(tensor) not in self._ignored:
                self._producer.setdefault(key(tensor), layer)

    def finish(self, outputs: Any) -> None:
        """Count the network's outputs as handed on by the layers that made them."""
        for tensor in tensors_in(outputs):
            if tensor.is_floating_point() and key(tensor) in self._producer:
                self._read[self._producer[key(tensor)]].setdefault(key(tensor), Handover()).add(tensor)

    def output_bytes(self, layer: Layer) -> int:
        """Bytes that `layer` made and others read, each once."""
        return sum(handover.num_bytes for handover in self._read[layer].values())

    def bytes_between(self, reader: Layer) -> dict[Layer, int]:
        """Bytes that `reader` reads, by the layer that made them."""
        return {
            producer: sum(self._read[producer][storage].num_bytes for storage in storages)
            for producer, storages in self.edges[reader].items()
        }

    def _hand_over(self, tensor: torch.Tensor, producer: Layer, reader: Layer) -> None:
        self._read[producer].setdefault(key(tensor), Handover()).add(tensor)
        self.edges[reader][producer].add(key(tensor))


class Handover:
    """The part of one storage that is read."""

    def __init__(self) -> None:
        self._storage_bytes = 0
        self._extents: dict[Extent, int] = {}

    def add(self, tensor: torch.Tensor) -> None:
        """Add the part that `tensor` shows; reshaped views of one part count once."""
        self._storage_bytes = tensor.untyped_storage().nbytes()
        extent = (tensor.storage_offset(), tensor.numel())
        self._extents[extent] = tensor.numel() * tensor.element_size()

    @property
    def num_bytes(self) -> int:
        """Bytes read, at most the whole storage."""
        return min(self._storage_bytes, sum(self._extents.values()))


def key(tensor: torch.Tensor) -> StorageWeakRef:
    """Identity of the tensor's memory."""
    return StorageWeakRef(tensor.untyped_storage())


def tensors_in(tree: Any) -> Iterator[torch.Tensor]:
    """Tensors in nested arguments or results."""
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor))


def _written(operator: OpOverload, arguments: Any) -> Iterator[torch.Tensor]:
    for argument, declared in zip(arguments[0], operator._schema.arguments, strict=False):
        if declared.alias_info is not None and declared.alias_info.is_write:
            yield from tensors_in(argument)
