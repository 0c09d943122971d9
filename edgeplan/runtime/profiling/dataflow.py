"""Which layers read what a layer made, seen from the operators' arguments.

A tensor is followed by its storage, so views and in-place operators do not hide where it came from. Only
floats count as activations; masks and positions can be made anew anywhere.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch._ops import OpOverload
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._pytree import tree_leaves

from edgeplan.runtime.profiling.cutting import RESERVED


class Dataflow:
    """Producers of storages, and what of them later layers read.

    Parameters
    ----------
    inputs
        The network's inputs, made by the layer ``input`` so to say.
    """

    def __init__(self, inputs: Iterable[torch.Tensor]) -> None:
        # Weak references keep an address from being used again, without keeping the memory.
        self._producer: dict[StorageWeakRef, str] = {key(tensor): RESERVED for tensor in inputs}
        self._read: dict[str, dict[StorageWeakRef, Handover]] = defaultdict(dict)
        self._edges: dict[str, dict[str, set[StorageWeakRef]]] = defaultdict(lambda: defaultdict(set))

    def observe(self, layer: str, operator: OpOverload, arguments: Any, result: Any) -> None:
        """Note one operator call of `layer`."""
        for tensor in tensors_in(arguments):
            producer = self._producer.get(key(tensor), layer)
            if producer != layer and (tensor.is_floating_point() or producer == RESERVED):
                self._hand_over(tensor, producer, layer)
        for tensor in _written(operator, arguments):
            self._producer[key(tensor)] = layer
        for tensor in tensors_in(result):
            self._producer.setdefault(key(tensor), layer)

    def finish(self, outputs: Any) -> None:
        """Count the network's outputs as handed on by the layers that made them."""
        for tensor in tensors_in(outputs):
            if tensor.is_floating_point() and key(tensor) in self._producer:
                self._note_read(tensor, self._producer[key(tensor)])

    def output_bytes(self) -> Counter[str]:
        """Bytes that a layer made and others read, each once."""
        return Counter({layer: self._num_bytes(layer, read) for layer, read in self._read.items()})

    def read_bytes(self) -> dict[str, Counter[str]]:
        """Bytes that a layer reads, by the layer that made them or ``input``."""
        return {
            reader: Counter({made_by: self._num_bytes(made_by, read) for made_by, read in edges.items()})
            for reader, edges in self._edges.items()
        }

    def _num_bytes(self, producer: str, storages: Iterable[StorageWeakRef]) -> int:
        return sum(self._read[producer][storage].num_bytes for storage in storages)

    def _hand_over(self, tensor: torch.Tensor, producer: str, reader: str) -> None:
        self._note_read(tensor, producer)
        self._edges[reader][producer].add(key(tensor))

    def _note_read(self, tensor: torch.Tensor, producer: str) -> None:
        self._read[producer].setdefault(key(tensor), Handover()).add(tensor)


class Handover:
    """The part of one storage that is read."""

    def __init__(self) -> None:
        self._storage_bytes = 0
        self._extents: dict[tuple[int, int], int] = {}

    def add(self, tensor: torch.Tensor) -> None:
        """Add the part that `tensor` shows; reshaped views of one part count once."""
        self._storage_bytes = tensor.untyped_storage().nbytes()
        extent = (int(tensor.storage_offset()), tensor.numel())
        self._extents[extent] = tensor.numel() * tensor.element_size()

    @property
    def num_bytes(self) -> int:
        """Bytes read, at most the whole storage."""
        return min(self._storage_bytes, sum(self._extents.values()))


def key(tensor: torch.Tensor) -> StorageWeakRef:
    """Identity of the tensor's memory."""
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]


def tensors_in(tree: Any) -> Iterator[torch.Tensor]:
    """Tensors in nested arguments or results."""
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor))


def _written(operator: OpOverload, arguments: Any) -> Iterator[torch.Tensor]:
    for argument, declared in zip(arguments[0], operator._schema.arguments, strict=False):
        if declared.alias_info is not None and declared.alias_info.is_write:
            yield from tensors_in(argument)
