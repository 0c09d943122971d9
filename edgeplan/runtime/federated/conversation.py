"""A round's exchange with all its clients at once: parameters down in turns, and updates as they come."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from torch import Tensor

from edgeplan.runtime.federated.pair import Arriving, Pair, packed, pieces_of
from edgeplan.runtime.federated.roll_call import ENDED, ON_ITS_WAY_S

_POLL_S = 0.1


@dataclass(frozen=True)
class Conversation:
    """What the server sends.

    Parameters
    ----------
    origin_s
        Start of the round, on the machine's monotonic clock.
    parameters
        All of them.
    arrivals_s
        Moment until which each client has to wait for them.
    """

    origin_s: float
    parameters: Tensor
    arrivals_s: Mapping[int, float]


@dataclass
class Answer:
    """A complete update, and moments on the machine's monotonic clock."""

    received_s: float
    start_s: float
    trained_s: float
    arrived_s: float
    loss: float
    window_missed: bool
    update: Tensor


@dataclass(frozen=True)
class Loss:
    """A client that is gone."""

    when: str
    error: RuntimeError


class _Exchange:
    """With one client: what it is to get, and what it will send."""

    def __init__(self, pair: Pair, talk: Conversation, rank: int) -> None:
        self._pair = pair
        self._message = packed([talk.origin_s, talk.arrivals_s[rank]], talk.parameters)
        self._num_values = talk.parameters.numel()
        self._sending: list[object] = []
        self._arriving: Arriving | None = None
        self._failed: RuntimeError | None = None
        self._when = "before it had received"

    def expect(self) -> None:
        try:
            self._arriving = self._pair.expect(self._num_values)
        except RuntimeError as error:
            self._failed = error

    def begin(self, position: int) -> None:
        """Begin to send one piece, if there are so many and nothing has failed."""
        pieces = pieces_of(self._message)
        if self._failed is None and position < len(pieces):
            try:
                self._sending.append(self._pair.begin(pieces[position]))
            except RuntimeError as error:
                self._failed = error

    @property
    def num_pieces(self) -> int:
        return len(pieces_of(self._message))

    def answer(self) -> Answer | Loss:
        """Wait for the update."""
        try:
            if self._failed is not None:
                raise self._failed
            for work in self._sending:
                work.wait()  # type: ignore[attr-defined]
            self._when = "before its update"
            assert self._arriving is not None
            (received_s, start_s, trained_s, loss, missed, _), update = self._arriving.wait()
        except RuntimeError as error:
            return self.loss(error)
        return Answer(received_s, start_s, trained_s, time.monotonic(), loss, bool(missed), update)

    def loss(self, error: RuntimeError) -> Loss:
        """Say when the client was lost."""
        begun = self._arriving is not None and self._arriving.num_pieces
        return Loss("while it sent its update" if begun else self._when, error)


def converse(
    pairs: Mapping[int, Pair], talk: Conversation, has_ended: Callable[[int], bool]
) -> Iterator[tuple[int, Answer | Loss]]:
    """Send parameters to clients, a piece to each in turn, and yield what becomes of each as it comes.

    Parameters
    ----------
    pairs
        The ways to the clients, by rank.
    talk
        What they are sent.
    has_ended
        Whether a client's process has come to its end: where its link is cut, its way does not say so.
    """
    exchanges = {rank: _Exchange(pair, talk, rank) for rank, pair in pairs.items()}
    for exchange in exchanges.values():
        exchange.expect()
    for position in range(max(one.num_pieces for one in exchanges.values())):
        for exchange in exchanges.values():
            exchange.begin(position)
    answers: queue.SimpleQueue[tuple[int, Answer | Loss]] = queue.SimpleQueue()

    def listen(rank: int, exchange: _Exchange) -> None:
        answers.put((rank, exchange.answer()))

    for rank, exchange in exchanges.items():
        threading.Thread(target=listen, args=(rank, exchange), daemon=True).start()
    waiting, ended_s = set(exchanges), dict.fromkeys(exchanges, math.inf)
    while waiting:
        with suppress(queue.Empty):
            rank, answer = answers.get(timeout=_POLL_S)
            if rank in waiting:
                waiting.remove(rank)
                yield rank, answer
        for rank in sorted(waiting):
            if has_ended(rank):
                ended_s[rank] = min(ended_s[rank], time.monotonic())
            if time.monotonic() - ended_s[rank] > ON_ITS_WAY_S:
                waiting.remove(rank)
                yield rank, exchanges[rank].loss(RuntimeError(ENDED))
