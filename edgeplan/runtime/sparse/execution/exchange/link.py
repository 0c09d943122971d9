"""Messages between two devices: gloo send and receive, counted, and as slow as the instance says.

What a device sends leaves it one message after another, each for as long as its bytes take at the rate of
the link, and arrives by the latency later; receiving does not hold up sending. The moment of arrival travels
ahead of the values in the same message, and the receiver sleeps until then. So a collective takes as long as
its messages make it take on such a network, and nothing here knows equation (7). The stamp of 8 bytes stands
for the headers of a real network, and is not counted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor

from edgeplan.runtime.emulation.links import Shape
from edgeplan.runtime.processes.clock import now_s
from edgeplan.runtime.processes.exchange import exchanging

STAMP_ELEMENTS = 2
"""Float32 elements that have the bytes of a float64."""
GLOO_BYTES = 48
_SENDING_BYTES, _EXPECTING_BYTES = 2 * GLOO_BYTES + 4 * STAMP_ELEMENTS, GLOO_BYTES

ShapeOf = Callable[[int, int], Shape]
"""Latency and rate from a rank to another."""


def header_bytes(sent: int, expected: int) -> int:
    """Return what leaves a process for messages that it sends and expects, besides their values."""
    return _SENDING_BYTES * sent + _EXPECTING_BYTES * expected


def of_moment(moment_s: float) -> Tensor:
    """Return a moment as float32 elements, bit for bit."""
    return torch.tensor([moment_s], dtype=torch.float64).view(torch.float32)


def to_moment(message: Tensor) -> float:
    """Return the moment that a message begins with.

    Examples
    --------
    >>> to_moment(torch.cat([of_moment(0.1), torch.ones(3)]))
    0.1
    """
    return float(message[:STAMP_ELEMENTS].view(torch.float64))


def unshaped(_source: int, _target: int) -> Shape:
    """Return a link that takes no time of its own."""
    return Shape(0.0, math.inf)


class Link(Protocol):
    """Carries vectors between the members of a group."""

    def send(self, values: Tensor, target: int) -> None:
        """Begin to send; the values may be changed after."""

    def receive(self, count: int, source: int) -> Tensor:
        """Wait for so many values."""

    def receive_all(self, counts: Sequence[int], source: int) -> Iterator[Tensor]:
        """Wait for one message after another, all of them expected at once."""

    def finish(self) -> None:
        """Wait until everything has been handed over."""


class Uplink:
    """The way out of a device, which its messages take one after another.

    Examples
    --------
    >>> uplink, shape = Uplink(), Shape(latency_s=0.5, bit_per_s=8.0)
    >>> [uplink.arrival_s(0.0, num_bytes=2, shape=shape) for _ in range(3)]
    [2.5, 4.5, 6.5]
    >>> uplink.arrival_s(10.0, num_bytes=0, shape=shape)
    10.5
    """

    def __init__(self) -> None:
        self._free_s = -math.inf
        self.sent_bytes = 0

    def arrival_s(self, now_s: float, num_bytes: int, shape: Shape) -> float:
        """Take a message on its way, and say when it arrives."""
        self.sent_bytes += num_bytes
        begin_s = max(now_s, self._free_s)
        self._free_s = begin_s + shape.transfer_s(num_bytes) - shape.latency_s
        return self._free_s + shape.latency_s


class GlooLink:
    """Carries vectors of float32 by gloo's messages.

    Parameters
    ----------
    rank
        Of this process.
    group
        Process group of the members.
    uplink
        Of this device, the same for all groups.
    shape_of
        The network to be imitated.
    """

    def __init__(self, rank: int, group: Any, uplink: Uplink, shape_of: ShapeOf) -> None:
        self._rank = rank
        self._group = group
        self._uplink = uplink
        self._shape_of = shape_of
        self._sending: list[tuple[int, Any, Tensor]] = []

    def send(self, values: Tensor, target: int) -> None:
        """Begin to send; the values may be changed after."""
        shape = self._shape_of(self._rank, target)
        arrival_s = self._uplink.arrival_s(now_s(), values.nbytes, shape)
        message = torch.cat([of_moment(arrival_s), values])
        work = _named(target, lambda: dist.isend(message, target, group=self._group))
        self._sending.append((target, work, message))  # gloo reads the message until it is gone

    def receive(self, count: int, source: int) -> Tensor:
        """Wait for so many values, and for the moment when they arrive."""
        return next(self.receive_all([count], source))

    def receive_all(self, counts: Sequence[int], source: int) -> Iterator[Tensor]:
        """Wait for one message after another, all of them expected at once.

        Gloo sends a message when the receiver has told that it expects it, which takes the latency once more.
        """
        messages = [torch.empty(STAMP_ELEMENTS + count) for count in counts]
        expected = [
            _named(source, partial(dist.irecv, message, source, group=self._group)) for message in messages
        ]
        return self._arriving(messages, expected, source)

    def _arriving(self, messages: Sequence[Tensor], expected: Sequence[Any], source: int) -> Iterator[Tensor]:
        for message, work in zip(messages, expected, strict=True):
            _named(source, work.wait)
            time.sleep(max(0.0, to_moment(message) - now_s()))
            yield message[STAMP_ELEMENTS:]

    def finish(self) -> None:
        """Wait until everything has been handed over."""
        for target, work, _ in self._sending:
            _named(target, work.wait)
        self._sending.clear()


def _named(peer: int, operation: Callable[[], Any]) -> Any:
    """Run a transfer; torch's own error does not say which process is suspect."""
    with exchanging(peer):
        return operation()
