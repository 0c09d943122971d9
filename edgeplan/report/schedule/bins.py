"""Long series thinned out: runs of consecutive slots drawn as one, without hiding their extremes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bin:
    """A run of slots: the middle of their numbers, and their least, mean, largest and last value."""

    middle: float
    low: float
    mean: float
    high: float
    last: float


def runs_of(num_slots: int, most: int) -> list[range]:
    """Cut the slots into equal runs, at most so many; the last may be shorter.

    Examples
    --------
    >>> runs_of(3, 5), runs_of(7, 3)
    ([range(0, 1), range(1, 2), range(2, 3)], [range(0, 3), range(3, 6), range(6, 7)])
    """
    size = max(1, -(-num_slots // most))
    return [range(first, min(first + size, num_slots)) for first in range(0, num_slots, size)]


def binned(values: Sequence[float], most: int) -> list[Bin]:
    """Gather a series in bins; slots are numbered from 1.

    Examples
    --------
    >>> binned([1.0, 5.0, 3.0], 2)[0]
    Bin(middle=1.5, low=1.0, mean=3.0, high=5.0, last=5.0)
    """
    return [_bin([values[t] for t in run], run.start + 1) for run in runs_of(len(values), most)]


def _bin(some: Sequence[float], first: int) -> Bin:
    middle = first + (len(some) - 1) / 2
    return Bin(middle, min(some), math.fsum(some) / len(some), max(some), some[-1])


def together_note(num_slots: int, most: int, how: str) -> str:
    """Say that slots are drawn together; empty where each stands alone.

    Examples
    --------
    >>> together_note(2000, 200, "the worst of")
    'Every point is the worst of 10 slots.'
    """
    size = len(runs_of(num_slots, most)[0]) if num_slots else 1
    return "" if size == 1 else f"Every point is {how} {size:,} slots."
