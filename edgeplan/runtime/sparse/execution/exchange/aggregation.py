"""The collectives of a plan on one device: what it puts into their buffers, and what it takes out of them.

A slice is averaged over the devices that train it. Members of an all-reduce that do not train it put zeros
in, and its sum is divided by the number of those that do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from edgeplan.models.sparse_update.collectives import Key, key_of
from edgeplan.models.sparse_update.order import sequence_of
from edgeplan.models.sparse_update.plan import Collective, Slice
from edgeplan.models.sparse_update.plan_cost import PlanCost
from edgeplan.runtime.sparse.execution.exchange.messages import Ready
from edgeplan.runtime.sparse.execution.exchange.ways import Way


class Sliced(Protocol):
    """Has parameters that are read and written by slices."""

    def read(self, part: Slice) -> Tensor:
        """Copy a slice into a vector."""

    def write(self, part: Slice, values: Tensor) -> None:
        """Set a slice."""


@dataclass(frozen=True)
class Aggregation:
    """One device's part in the collectives of a plan.

    Parameters
    ----------
    cost
        The plan, with its slices, who trains them, and its collectives.
    rank
        Index of the device.
    """

    cost: PlanCost
    rank: int
    _counts: dict[int, int] = field(default_factory=dict)

    @cached_property
    def sequence(self) -> tuple[int, ...]:
        """Positions of the collectives that the device takes part in, in the order in which it runs them."""
        return sequence_of(self.cost.devices[self.rank].id, self.cost.collectives)

    @cached_property
    def _training(self) -> dict[Key, tuple[int, ...]]:
        return {key_of(one.slice): one.members for one in self.cost.updated}

    def expect(self, index: int, replica: Sliced, way: Way) -> Ready:
        """Tell that a collective is going to be run."""
        collective = self.cost.collectives[index]
        if index not in self._counts:
            self._counts[index] = sum(replica.read(part).numel() for part in collective.slices)
        return way.expect(collective.kind, self._counts[index], ranks_of(self.cost, collective))

    def run(self, index: int, replica: Sliced, ready: Ready) -> int:
        """Run one collective and keep its outcome; return the bytes of its buffer."""
        collective = self.cost.collectives[index]
        vectors = self.pack(index, replica)
        buffer = joined(vectors)
        ready(buffer)
        sizes = [vector.numel() for vector in vectors]
        for part, values in zip(collective.slices, torch.split(buffer, sizes), strict=True):
            divisor = len(self._training[key_of(part)]) if collective.kind == "all_reduce" else 1
            replica.write(part, values / divisor)
        return buffer.nbytes

    def pack(self, index: int, replica: Sliced) -> list[Tensor]:
        """Return what the device gives to a collective, slice by slice."""
        collective = self.cost.collectives[index]
        return [self._given(collective, part, replica) for part in collective.slices]

    def _given(self, collective: Collective, part: Slice, replica: Sliced) -> Tensor:
        values = replica.read(part)
        if collective.kind == "all_reduce" and self.rank not in self._training[key_of(part)]:
            return torch.zeros_like(values)
        return values


def joined(vectors: Sequence[Tensor]) -> Tensor:
    """Return one buffer with all that is given."""
    return torch.cat([*vectors]) if vectors else torch.empty(0)


def ranks_of(cost: PlanCost, collective: Collective) -> tuple[int, ...]:
    """Members of a collective by their indices; the root of a broadcast first."""
    index_of = cost.instance.device_index
    names: Sequence[str] = collective.members
    if collective.root is not None:
        names = [collective.root, *(name for name in names if name != collective.root)]
    return tuple(index_of[name] for name in names)
