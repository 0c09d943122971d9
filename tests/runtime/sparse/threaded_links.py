"""Links between threads on a network of its own time: nothing sleeps, and every second is known."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

pytest.importorskip("torch")

from torch import Tensor

from edgeplan.runtime.emulation.links import Shape
from edgeplan.runtime.sparse.execution.exchange.link import Uplink
from edgeplan.runtime.sparse.execution.exchange.messages import Ready
from edgeplan.runtime.sparse.execution.exchange.ways import begun

PATIENCE_S = 30.0
UNSHAPED = Shape(0.0, float("inf"))


@dataclass
class Network:
    """Queues between all ranks."""

    shape: Shape = UNSHAPED
    queues: dict[tuple[int, int], queue.Queue[tuple[float, Tensor]]] = field(default_factory=dict)

    def link(self, rank: int) -> ThreadLink:
        return ThreadLink(self, rank)

    def between(self, source: int, target: int) -> queue.Queue[tuple[float, Tensor]]:
        return self.queues.setdefault((source, target), queue.Queue())


@dataclass
class ThreadLink:
    """One rank's links; its clock stands still but for what arrives."""

    network: Network
    rank: int
    now_s: float = 0.0
    uplink: Uplink = field(default_factory=Uplink)
    num_messages: int = 0

    def send(self, values: Tensor, target: int) -> None:
        self.num_messages += 1
        arrival_s = self.uplink.arrival_s(self.now_s, values.nbytes, self.network.shape)
        self.network.between(self.rank, target).put((arrival_s, values.clone()))

    def receive_all(self, counts: Sequence[int], source: int) -> Iterator[Tensor]:
        return (self.receive(count, source) for count in counts)

    def receive(self, count: int, source: int) -> Tensor:
        arrival_s, values = self.network.between(source, self.rank).get(timeout=PATIENCE_S)
        assert values.numel() == count
        self.now_s = max(self.now_s, arrival_s)
        return values

    def finish(self) -> None:
        pass


@dataclass
class ThreadWay:
    """Collectives by messages between threads."""

    link: ThreadLink
    flat: bool = True

    @property
    def sent_bytes(self) -> int | None:
        return self.link.uplink.sent_bytes

    def expect(self, kind: str, count: int, members: Sequence[int]) -> Ready:
        if len(members) == 1:
            return lambda _buffer: None
        return begun(self.link, kind, count, members, self.link.rank, flat=self.flat)


def on_every(ranks: Sequence[int], part: Callable[[int], None]) -> None:
    """Let every rank play its part in a thread of its own."""
    with ThreadPoolExecutor(len(ranks)) as pool:
        for played in [pool.submit(part, rank) for rank in ranks]:
            played.result(timeout=PATIENCE_S)
