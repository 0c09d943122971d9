"""The way between the server and one client: a process group of two, so that losing one loses no other.

A message is some figures and all parameters, as float32 elements. It goes in pieces, which the server sends
to all clients in turn: so their transfers share its link as equation (2) says, instead of one after another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor
from torch.distributed import PrefixStore, ProcessGroupGloo, Store  # type: ignore[attr-defined]

PIECES = 16
FIGURES = 6
_HEADER = 2 * FIGURES  # numbers of 8 bytes, in places of 4


def packed(figures: Sequence[float], values: Tensor) -> Tensor:
    """Return a message.

    Examples
    --------
    >>> figures, values = unpacked(packed([0.1, 2.0], torch.ones(3)))
    >>> figures[:2], values.tolist()
    ([0.1, 2.0], [1.0, 1.0, 1.0])
    """
    padded = [*figures, *[math.nan] * (FIGURES - len(figures))]
    return torch.cat([torch.tensor(padded, dtype=torch.float64).view(torch.float32), values])


def unpacked(message: Tensor) -> tuple[list[float], Tensor]:
    """Return figures and values of a message."""
    figures: list[float] = message[:_HEADER].clone().view(torch.float64).tolist()
    return figures, message[_HEADER:]


def pieces_of(message: Tensor) -> tuple[Tensor, ...]:
    """Return the parts of a message that are sent one after another."""
    return torch.tensor_split(message, min(PIECES, message.numel()))


class Arriving:
    """A message that is expected.

    Parameters
    ----------
    message
        What takes it.
    works
        The transfers of its pieces.
    """

    def __init__(self, message: Tensor, works: Sequence[Any]) -> None:
        self._message = message
        self._works = works
        self.num_pieces = 0
        """Pieces that have arrived."""

    def wait(self) -> tuple[list[float], Tensor]:
        """Wait for the message; return its figures and values.

        Raises
        ------
        RuntimeError
            When the other end is gone, or says nothing for too long.
        """
        for work in self._works:
            work.wait()
            self.num_pieces += 1
        return unpacked(self._message)


class Pair:
    """One end of the way.

    Parameters
    ----------
    store
        At which both ends meet.
    client
        Rank of the client.
    is_server
        Which end this is.
    timeout_s
        Longest wait for the other end, in seconds.

    Raises
    ------
    RuntimeError
        When the other end does not come.
    """

    def __init__(self, store: Store, client: int, *, is_server: bool, timeout_s: float) -> None:
        self._other = int(is_server)
        self._store = store  # torch keeps no more than its own part of one that is written in Python
        meeting = PrefixStore(f"edgeplan/pair/{client}", store)
        self._group: Any = ProcessGroupGloo(meeting, 1 - self._other, 2, timedelta(seconds=timeout_s))

    def expect(self, num_values: int) -> Arriving:
        """Tell the other end that a message may come: gloo sends none before it is expected."""
        message = torch.empty(_HEADER + num_values)
        works = [self._group.recv([piece], self._other, 0) for piece in pieces_of(message)]
        return Arriving(message, works)

    def begin(self, piece: Tensor) -> Any:
        """Begin to send a piece, which must stay as it is until the work that is returned is done."""
        return self._group.send([piece], self._other, 0)

    def send(self, message: Tensor) -> None:
        """Send a message, and wait until all of it has been handed over."""
        for work in [self.begin(piece) for piece in pieces_of(message)]:
            work.wait()
