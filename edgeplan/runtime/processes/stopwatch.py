"""Seconds on the wall and of the processor."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Spent:
    """Seconds on the wall, and of the processor: the latter hardly grow when other processes compete."""

    wall_s: float
    processor_s: float


class Stopwatch:
    """Begins with its construction."""

    def __init__(self) -> None:
        self._begin = Spent(time.monotonic(), time.process_time())

    def read(self) -> Spent:
        """Return what was spent since the beginning."""
        wall_s = time.monotonic() - self._begin.wall_s
        return Spent(wall_s, time.process_time() - self._begin.processor_s)
