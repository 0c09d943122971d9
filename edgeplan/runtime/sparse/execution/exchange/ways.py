"""Two ways to run a collective: as paced messages, or by torch.distributed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Protocol

import torch.distributed as dist
from torch import Tensor

from edgeplan.runtime.processes.exchange import ALL, exchanging
from edgeplan.runtime.sparse.execution.exchange.link import GlooLink, Link, ShapeOf, Uplink
from edgeplan.runtime.sparse.execution.exchange.messages import (
    Ready,
    flat_broadcast,
    ring_all_reduce,
    tree_broadcast,
)

ALL_REDUCE = "all_reduce"
EMULATED, GLOO = "emulated", "gloo"


class Way(Protocol):
    """Runs collectives among ranks."""

    @property
    def sent_bytes(self) -> int | None:
        """Bytes that this process has sent so far; None where nobody counts."""

    def expect(self, kind: str, count: int, members: Sequence[int]) -> Ready:
        """Tell that a collective is going to be run, and return what runs it.

        Parameters
        ----------
        kind
            ``all_reduce`` sums the buffers of all members; ``broadcast`` gives all that of the first.
        count
            Values of the buffer.
        members
            Ranks; a collective of one does nothing.
        """


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
        self._flat = flat

    @property
    def sent_bytes(self) -> int | None:
        """Bytes that this process has sent so far."""
        return self._uplink.sent_bytes

    def expect(self, kind: str, count: int, members: Sequence[int]) -> Ready:
        """Expect the messages of a collective, and return what runs it."""
        if len(members) == 1:
            return _nothing
        link = GlooLink(self._rank, self._groups.of(members), self._uplink, self._shape_of)
        return begun(link, kind, count, members, self._rank, flat=self._flat)


def begun(link: Link, kind: str, count: int, members: Sequence[int], rank: int, *, flat: bool) -> Ready:
    """Expect the messages of a collective of several members on a link, and return what runs it.

    Parameters
    ----------
    link
        Carries them.
    kind, count, members
        As for `Way.expect`.
    rank
        This member.
    flat
        Whether the root of a broadcast sends every copy itself.
    """
    if kind == ALL_REDUCE:
        return ring_all_reduce(link, count, members, rank)
    return (flat_broadcast if flat else tree_broadcast)(link, count, members, rank)


class Gloo:
    """Collectives of torch.distributed, as fast as this machine is."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups

    @property
    def sent_bytes(self) -> int | None:
        """Nobody counts what gloo sends."""
        return None

    def expect(self, kind: str, count: int, members: Sequence[int]) -> Ready:
        """Return what runs a collective; nothing is told before."""
        del count
        if len(members) == 1:
            return _nothing
        group = self._groups.of(members)

        def run(buffer: Tensor) -> None:
            with exchanging(ALL):
                if kind == ALL_REDUCE:
                    dist.all_reduce(buffer, group=group)
                else:
                    dist.broadcast(buffer, src=members[0], group=group)

        return run


def _nothing(_buffer: Tensor) -> None:
    """Run a collective of one member."""
