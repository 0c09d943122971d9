"""Collectives as messages between two devices: the algorithms that equation (7) gives the seconds of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgeplan.runtime.sparse.execution.exchange.link import Link


def ring_all_reduce(link: Link, buffer: Tensor, members: Sequence[int], rank: int) -> None:
    """Sum the buffers of all members, in place.

    The buffer is cut into as many chunks as there are members g. In g - 1 steps every member passes a chunk
    on to the next and adds the one that comes in to its own, so that each ends with the sum of one chunk; in
    g - 1 further steps the sums go round. All members end with the same bits, for a chunk is summed once.

    Parameters
    ----------
    link
        Carries the chunks.
    buffer
        Vector of this member.
    members
        Ranks round the ring, the same for all.
    rank
        This member.
    """
    g = len(members)
    place = members.index(rank)
    after, before = members[(place + 1) % g], members[(place - 1) % g]
    chunks = torch.tensor_split(buffer, g)
    into = [chunks[(place - step - 1) % g] for step in range(2 * (g - 1))]
    stream = link.receive_all([own.numel() for own in into], before)
    for step, own in enumerate(into):
        link.send(chunks[(place - step) % g], after)
        coming = next(stream)
        own.copy_(own + coming if step < g - 1 else coming)
        link.finish()


def flat_broadcast(link: Link, buffer: Tensor, members: Sequence[int], rank: int) -> None:
    """Give everybody the buffer of the first member, which sends every copy itself; in place."""
    root, *receivers = members
    if rank == root:
        for receiver in receivers:
            link.send(buffer, receiver)
        link.finish()
    else:
        buffer.copy_(link.receive(buffer.numel(), root))


def tree_broadcast(link: Link, buffer: Tensor, members: Sequence[int], rank: int) -> None:
    """Give everybody the buffer of the first member; who has it passes it on, in place.

    In every round each that has the buffer sends it to one that has not.
    """
    place, having = members.index(rank), 1
    while having < len(members):
        if place < having and place + having < len(members):
            link.send(buffer, members[place + having])
        elif having <= place < 2 * having:
            buffer.copy_(link.receive(buffer.numel(), members[place - having]))
        having *= 2
    link.finish()
