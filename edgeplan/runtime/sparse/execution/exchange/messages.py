"""Collectives as messages between two devices: the algorithms that equation (7) gives the seconds of.

Each is begun by telling what is expected, so that senders need not wait for it, and run with its buffer then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from edgeplan.runtime.sparse.execution.exchange.link import Link

Ready = Callable[[Tensor], None]
"""Runs a collective whose messages are expected, on its buffer, in place."""


def ring_all_reduce(link: Link, count: int, members: Sequence[int], rank: int) -> Ready:
    """Expect the messages of a sum of buffers.

    The buffer is cut into as many chunks as there are members g. In g - 1 steps every member passes a chunk
    on to the next and adds the one that comes in to its own, so that each ends with the sum of one chunk; in
    g - 1 further steps the sums go round. All members end with the same bits, for a chunk is summed once.

    Parameters
    ----------
    link
        Carries the chunks.
    count
        Values of a buffer.
    members
        Ranks round the ring, the same for all.
    rank
        This member.
    """
    g = len(members)
    place = members.index(rank)
    after, before = members[(place + 1) % g], members[(place - 1) % g]
    into = [(place - step - 1) % g for step in range(2 * (g - 1))]
    coming = link.receive_all([count // g + (chunk < count % g) for chunk in into], before)

    def run(buffer: Tensor) -> None:
        chunks = torch.tensor_split(buffer, g)
        for step, own in enumerate(chunks[chunk] for chunk in into):
            link.send(chunks[(place - step) % g], after)
            values = next(coming)
            own.copy_(own + values if step < g - 1 else values)
            link.finish()

    return run


def flat_broadcast(link: Link, count: int, members: Sequence[int], rank: int) -> Ready:
    """Expect the buffer of the first member, which sends every copy itself."""
    root, *receivers = members
    if rank != root:
        return _receiving(link, count, root)

    def run(buffer: Tensor) -> None:
        for receiver in receivers:
            link.send(buffer, receiver)
        link.finish()

    return run


def tree_broadcast(link: Link, count: int, members: Sequence[int], rank: int) -> Ready:
    """Expect the buffer of the first member; who has it passes it on.

    In every round each that has the buffer sends it to one that has not.
    """
    place = members.index(rank)
    having = 1 << place.bit_length()  # after the round in which this member gets it
    receive = _receiving(link, count, members[place - having // 2]) if place else None

    def run(buffer: Tensor) -> None:
        if receive is not None:
            receive(buffer)
        step = having
        while place + step < len(members):
            link.send(buffer, members[place + step])
            step *= 2
        link.finish()

    return run


def _receiving(link: Link, count: int, source: int) -> Ready:
    coming = link.receive_all([count], source)

    def run(buffer: Tensor) -> None:
        buffer.copy_(next(coming))

    return run
