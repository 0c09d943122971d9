"""Two ways to run a collective: as paced messages, or by torch.distributed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Protocol

import torch.distributed as dist
from torch import Tensor

from edgeplan.runtime.sparse.execution.exchange.link import GlooLink, ShapeOf, Uplink
from edgeplan.runtime.sparse.execution.exchange.messages import (
    flat_broadcast,
    ring_all_reduce,
    tree_broadcast,
)

EMULATED, GLOO = "emulated", "gloo"


class Way(Protocol):
    """Runs collectives among ranks."""

    @property
    def sent_bytes(self) -> int | None:
        """Bytes that this process has sent so far; None where nobody counts."""

    def all_reduce(self, buffer: Tensor, members: Sequence[int]) -> None:
        """Sum the buffers of all members, in place."""

    def broadcast(self, buffer: Tensor, members: Sequence[int]) -> None:
        """Give everybody the buffer of the first member, in place."""


class Groups:
    """Process groups, made once for all; every process makes all of them in the same order.

    Parameters
    ----------
    member_sets
        Ranks of each collective; sets of one need no group, and equal sets share one.
    timeout_s
        Longest wait for another member, in seconds.
    """

    def __init__(self, member_sets: Iterable[Sequence[int]], timeout_s: float) -> None:
        distinct = dict.fromkeys(frozenset(members) for members in member_sets if len(members) > 1)
        timeout = timedelta(seconds=timeout_s)
        self._groups = {ranks: dist.new_group(sorted(ranks), timeout=timeout) for ranks in distinct}

    def of(self, members: Sequence[int]) -> Any:
        """Return the group of these ranks."""
        return self._groups[frozenset(members)]


class Emulated:
    """Collectives as messages on the instance's network: a ring, and a flat or tree broadcast.

    Parameters
    ----------
    rank
        Of this process.
    groups
        Process groups of all collectives.
    shape_of
        The network.
    flat
        Whether the root of a broadcast sends every copy itself.
    """

    def __init__(self, rank: int, groups: Groups, shape_of: ShapeOf, *, flat: bool) -> None:
        self._rank = rank
        self._groups = groups
        self._uplink = Uplink()
        self._shape_of = shape_of
        self._spread = flat_broadcast if flat else tree_broadcast

    @property
    def sent_bytes(self) -> int | None:
        """Bytes that this process has sent so far."""
        return self._uplink.sent_bytes

    def all_reduce(self, buffer: Tensor, members: Sequence[int]) -> None:
        """Sum the buffers of all members, in place."""
        if len(members) > 1:
            ring_all_reduce(self._link(members), buffer, members, self._rank)

    def broadcast(self, buffer: Tensor, members: Sequence[int]) -> None:
        """Give everybody the buffer of the first member, in place."""
        if len(members) > 1:
            self._spread(self._link(members), buffer, members, self._rank)

    def _link(self, members: Sequence[int]) -> GlooLink:
        return GlooLink(self._rank, self._groups.of(members), self._uplink, self._shape_of)


class Gloo:
    """Collectives of torch.distributed, as fast as this machine is."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups

    @property
    def sent_bytes(self) -> int | None:
        """Nobody counts what gloo sends."""
        return None

    def all_reduce(self, buffer: Tensor, members: Sequence[int]) -> None:
        """Sum the buffers of all members, in place."""
        if len(members) > 1:
            dist.all_reduce(buffer, group=self._groups.of(members))

    def broadcast(self, buffer: Tensor, members: Sequence[int]) -> None:
        """Give everybody the buffer of the first member, in place."""
        if len(members) > 1:
            dist.broadcast(buffer, src=members[0], group=self._groups.of(members))
