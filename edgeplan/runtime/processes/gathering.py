"""What processes tell each other as JSON: bytes that are read, not objects that run code as they are made."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from edgeplan.runtime.processes.exchange import ALL, exchanging
from edgeplan.runtime.processes.records import Event


def gathered(events: Iterable[Event], rank: int) -> list[Event] | None:
    """Give rank 0 the events of all processes, by rank; None to the others."""
    own = _written(list(events))
    with exchanging(ALL):
        sizes = _sizes(own)
        if rank != 0:
            dist.send(own, 0)
            return None
        told = [own]
        for source in range(1, len(sizes)):
            told.append(torch.empty(sizes[source], dtype=torch.uint8))
            dist.recv(told[-1], source)
    return [event for one in told for event in _read(one)]


def told_by_all(document: Any) -> list[Any]:
    """Tell all processes something, and return what each of them has told, by rank."""
    own = _written(document)
    with exchanging(ALL):
        sizes = _sizes(own)
        told = [torch.empty(max(sizes), dtype=torch.uint8) for _ in sizes]
        dist.all_gather(told, torch.nn.functional.pad(own, (0, max(sizes) - len(own))))
    return [_read(one[:size]) for one, size in zip(told, sizes, strict=True)]


def _sizes(own: Tensor) -> list[int]:
    sizes = [torch.empty(1, dtype=torch.int64) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, torch.tensor([len(own)]))
    return [int(size) for size in sizes]


def _written(document: Any) -> Tensor:
    return torch.frombuffer(bytearray(json.dumps(document, allow_nan=False).encode()), dtype=torch.uint8)


def _read(told: Tensor) -> Any:
    return json.loads(told.numpy().tobytes())
