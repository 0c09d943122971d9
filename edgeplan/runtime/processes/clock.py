"""One clock for all processes, on whatever machines they are: that of rank 0.

Monotonic clocks of two machines differ by anything. Every process asks rank 0 for its time and takes the
answer that came fastest; a difference that the way there and back can explain is none, as on one machine.
"""

from __future__ import annotations

import time

import torch
import torch.distributed as dist

from edgeplan.runtime.processes.exchange import exchanging

_ASKED = 8


class _Offset:
    """How far the common clock is ahead of this process's own."""

    ahead_s = 0.0


def now_s() -> float:
    """Seconds of the clock that all processes have in common since `align_clocks`."""
    return time.monotonic() + _Offset.ahead_s


def align_clocks(rank: int) -> None:
    """Let every process learn how far rank 0's clock is ahead of its own."""
    for other in range(1, dist.get_world_size()):
        if rank == 0:
            with exchanging(other):
                _answer(other)
        elif rank == other:
            with exchanging(0):
                _Offset.ahead_s = _asked()


def _answer(other: int) -> None:
    for _ in range(_ASKED):
        dist.recv(torch.empty(1), other)
        dist.send(torch.tensor([time.monotonic()], dtype=torch.float64), other)


def _asked() -> float:
    told, answers = torch.empty(1, dtype=torch.float64), []
    for _ in range(_ASKED):
        asked_s = time.monotonic()
        dist.send(torch.empty(1), 0)
        dist.recv(told, 0)
        answered_s = time.monotonic()
        answers.append((answered_s - asked_s, told.item() - (asked_s + answered_s) / 2))
    return ahead_by(answers)


def ahead_by(answers: list[tuple[float, float]]) -> float:
    """Return how far the other clock is ahead, from round trips and the differences they showed, in seconds.

    Examples
    --------
    >>> ahead_by([(0.004, 100.002), (0.001, 100.0)]), ahead_by([(0.004, 0.0015)])
    (100.0, 0.0)
    """
    way_s, ahead_s = min(answers)
    return ahead_s if abs(ahead_s) > way_s else 0.0
