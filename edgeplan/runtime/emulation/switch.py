"""The network between the nodes of a run: ``python -m edgeplan.runtime.emulation.switch SPEC.json``.

Every node has a TAP device in its namespace, whose other end is here, and so has the supervisor, after them.
A frame from node to node leaves when the sender's uplink has let it through, travels for the latency, and
arrives when the receiver's downlink has let it through; a pair with a link of its own has a queue of its own.
Rates are of payload: what a frame's headers add takes no time. Nothing is lost, for the queues hold whatever
TCP has under way.

The kernel hands over segments of a stream as one large frame where the stream is fast, so that few frames
are moved; they go on to the receiver just so.
"""

from __future__ import annotations

import fcntl
import heapq
import json
import math
import os
import select
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from edgeplan.runtime.emulation.links import Links
from edgeplan.runtime.emulation.namespaces import inside
from edgeplan.runtime.emulation.orders import Orders
from edgeplan.runtime.emulation.streams import ETHERNET, HEADER, Streams, payload_of

DEVICE = "data0"
READY = b"ready\n"

_TUN = "/dev/net/tun"
_SET_DEVICE, _SET_OFFLOAD = 0x400454CA, 0x400454D0  # TUNSETIFF, TUNSETOFFLOAD
_TAP = 0x0002 | 0x1000 | 0x4000  # IFF_TAP, IFF_NO_PI, IFF_VNET_HDR
_SEGMENTS = 0x01 | 0x02  # TUN_F_CSUM, TUN_F_TSO4
_LARGEST = HEADER.size + ETHERNET + (1 << 16)
_AT_ONCE = 64
_MAC = struct.Struct("!6s6s")
_PREFIX = b"\x02\x00\x00\x00"


def mac_of(node: int) -> str:
    """Address of a node's device.

    Examples
    --------
    >>> mac_of(258)
    '02:00:00:00:01:02'
    """
    return (_PREFIX + node.to_bytes(2, "big")).hex(":")


@dataclass(frozen=True)
class Sent:
    """A frame that its sender lets through.

    Parameters
    ----------
    target, num_bytes
        To whom it goes, and its payload.
    enter_s
        When it asks for the receiver's downlink: at the latest moment at which its last bit would not wait.
    last_s
        When its last bit has travelled for the latency.
    """

    target: int
    num_bytes: int
    enter_s: float
    last_s: float


@dataclass
class Schedule:
    """When frames arrive: what every link has still to let through.

    Parameters
    ----------
    links
        The links.

    Examples
    --------
    >>> schedule = Schedule(Links((8e3, 8e3), (8e3, 4e3), (0.0, 0.5), {}))
    >>> frames = [schedule.sent(0, 1, 1000, now_s=0.0) for _ in range(2)]
    >>> [schedule.arrival_s(frame) for frame in frames]
    [2.5, 4.5]
    """

    links: Links
    _sent_s: dict[object, float] = field(default_factory=dict)
    _arrived_s: dict[int, float] = field(default_factory=dict)

    def sent(self, source: int, target: int, num_bytes: int, *, now_s: float) -> Sent:
        """Let a frame with so much payload through on the sender's side."""
        own = self.links.pairs.get((source, target))
        key: object = source if own is None else (source, target)
        if own is not None and self.links.half_duplex:
            if not num_bytes:  # an acknowledgement, which the band of the instance knows nothing of
                return Sent(target, 0, now_s + own.latency_s, now_s + own.latency_s)
            key = frozenset((source, target))
        rate = self.links.uplink_bit_per_s[source] if own is None else own.bit_per_s
        begin_s = max(now_s, self._sent_s.get(key, -math.inf))
        self._sent_s[key] = sent_s = begin_s + 8 * num_bytes / rate
        latency_s = self.links.between(source, target).latency_s
        last_s = sent_s + latency_s
        enter_s = max(begin_s + latency_s, last_s - 8 * num_bytes / self.links.downlink_bit_per_s[target])
        return Sent(target, num_bytes, enter_s, last_s)

    def waits(self, source: int, target: int) -> bool:
        """Say whether frames between two nodes have to pass the receiver's downlink."""
        own = (source, target) in self.links.pairs
        return not own and math.isfinite(self.links.downlink_bit_per_s[target])

    def arrival_s(self, frame: Sent) -> float:
        """Let a frame through on the receiver's side; frames take turns as they ask for it."""
        begin_s = max(frame.enter_s, self._arrived_s.get(frame.target, -math.inf))
        arrived_s = begin_s + 8 * frame.num_bytes / self.links.downlink_bit_per_s[frame.target]
        self._arrived_s[frame.target] = arrived_s
        return arrived_s


class Switch:
    """Moves frames between open TAP devices.

    Parameters
    ----------
    devices
        Open TAP devices of the nodes.
    links
        What joins them.
    """

    def __init__(self, devices: Sequence[int], links: Links) -> None:
        self._devices = devices
        self._schedule = Schedule(links)
        self._node_of = {device: node for node, device in enumerate(devices)}
        self._due: list[tuple[float, int, Sent, bytes, bool]] = []
        self._number = 0
        self._sent_bytes = [0] * len(devices)
        self._streams = Streams()

    def run(self, until: int, orders: Orders) -> None:
        """Move frames, over other links when told, until a handle can be read from or is closed."""
        handles = [*self._devices, until, orders.handle]
        while True:
            ready, _, _ = select.select(handles, (), (), self._deliver())  # epoll counts in milliseconds
            if until in ready:
                return
            for device in ready:
                if device == orders.handle:
                    links = orders.take(self._sent_bytes[:-1])
                    if links is not None:
                        self._schedule.links = links.with_watch()
                else:
                    self._take(device)

    def _deliver(self) -> float | None:
        """Hand over what is due; return the seconds until more is, None if nothing is on its way."""
        now_s = time.monotonic()
        while self._due and self._due[0][0] <= now_s:
            _, _, sent, frame, waits = heapq.heappop(self._due)
            if waits:
                self._keep(self._schedule.arrival_s(sent), sent, frame)
                continue
            try:
                os.write(self._devices[sent.target], frame)
            except OSError:  # the node is gone, or its device is full: a frame is lost, TCP sends it again
                continue
        return max(0.0, self._due[0][0] - time.monotonic()) if self._due else None

    def _take(self, device: int) -> None:
        source = self._node_of[device]
        for _ in range(_AT_ONCE):
            try:
                frame = os.read(device, _LARGEST)
            except BlockingIOError:
                return
            address = frame[HEADER.size : HEADER.size + 6]
            target = int.from_bytes(address[4:], "big")
            if address[:4] == _PREFIX and target < len(self._devices):
                num_bytes = payload_of(frame)
                self._sent_bytes[source] += self._streams.fresh(frame)
                sent = self._schedule.sent(source, target, num_bytes, now_s=time.monotonic())
                waits = self._schedule.waits(source, target)
                self._keep(sent.enter_s if waits else sent.last_s, sent, frame, waits=waits)

    def _keep(self, due_s: float, sent: Sent, frame: bytes, *, waits: bool = False) -> None:
        """Keep a frame until it comes to its receiver's downlink, or has passed it."""
        self._number += 1
        heapq.heappush(self._due, (due_s, self._number, sent, frame, waits))


def open_device(namespace: str) -> int:
    """Make a TAP device in a namespace and return its handle."""

    def make() -> int:
        handle = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(handle, _SET_DEVICE, struct.pack("16sH22x", DEVICE.encode(), _TAP))
        fcntl.ioctl(handle, _SET_OFFLOAD, _SEGMENTS)
        return handle

    return inside(namespace, make)


def main(arguments: list[str]) -> None:
    """Open the devices, say that they are there, and move frames until standard input closes."""
    spec = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    devices = [open_device(name) for name in spec["namespaces"]]
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))  # frames wait for no training step
    orders = Orders(Path(arguments[0]).parent)
    os.write(1, READY)
    Switch(devices, Links.from_document(spec["links"]).with_watch()).run(until=0, orders=orders)


if __name__ == "__main__":
    main(sys.argv[1:])
