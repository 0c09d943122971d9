"""Exchanges with other processes, which end when the other one is gone."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from edgeplan.errors import RunError

LEFT = 75
"""Exit code of a process that could not go on since it had lost another one."""
ALL = -1
"""Stands for all other ranks."""

_under_way: list[int] = []


class PeerLostError(RunError):
    """An exchange with another process failed: that one may be gone."""


@contextmanager
def exchanging(rank: int) -> Iterator[None]:
    """Exchange something with another process: torch's own error does not say which one is suspect.

    Parameters
    ----------
    rank
        The other one, or `ALL`.

    Raises
    ------
    PeerLostError
        When it fails.

    Examples
    --------
    >>> with exchanging(1):
    ...     raise RuntimeError("Connection reset by peer")
    Traceback (most recent call last):
    edgeplan.runtime.processes.exchange.PeerLostError: no exchange with rank 1: Connection reset by peer
    """
    _under_way.append(rank)
    try:
        yield
    except RuntimeError as error:
        whom = "all others" if rank == ALL else f"rank {rank}"
        raise PeerLostError(f"no exchange with {whom}: {error}") from error
    finally:
        _under_way.pop()


def leave_if_waiting_for(lost: Collection[int]) -> None:
    """End this process if it is in an exchange with one that is lost: gloo would wait for its timeout.

    A connection over a link that is gone is never closed, so that nothing tells its other end.
    """
    if lost and any(rank == ALL or rank in lost for rank in _under_way):
        os._exit(LEFT)
