"""Processor time as it would be at the processor's usual speed, by a piece of work that is always the same.

The same step takes a fifth more or less of a processor's time from one second to the next where others share
its caches and its clock. A small convolution, timed beside the steps, takes as much more or less.
"""

from __future__ import annotations

import statistics

import torch
from torch.nn import functional

from edgeplan.runtime.processes.stopwatch import Stopwatch

LEAST_S = 0.002  # of work between two timings of the reference, which takes a tenth of that


class Work:
    """What a process has done since the construction.

    Parameters
    ----------
    usual_s
        Seconds of the reference at the usual speed; None takes the speed as it comes.
    """

    def __init__(self, usual_s: float | None) -> None:
        self._usual_s = usual_s
        self._seen_s: list[float] = []
        self._references = 0.0  # as much as so many of them
        self.processor_s = 0.0
        """Processor seconds that are counted."""
        self._stopwatch = Stopwatch()

    @property
    def wall_s(self) -> float:
        """Seconds on the wall until now."""
        return self._stopwatch.read().wall_s

    @property
    def seen_s(self) -> float | None:
        """Seconds of the reference at which the work is what it took; None where it was not timed."""
        return self.processor_s / self._references if self._references else None

    @property
    def done_s(self) -> float:
        """What is counted, had the processor had its usual speed."""
        if self._usual_s is None or not self._references:
            return self.processor_s
        return self._usual_s * self._references

    @property
    def usual_share(self) -> float:
        """What the work would have taken at the usual speed, as a share of what it took."""
        return self.done_s / self.processor_s if self.processor_s else 1.0

    def measure(self) -> None:
        """Count what was done, by the reference before it and after it; very little waits."""
        if self._uncounted_s >= LEAST_S:
            self._seen_s.append(reference_s())
            self._count()

    def end(self) -> None:
        """Count the rest."""
        self._count()

    @property
    def _uncounted_s(self) -> float:
        return self._stopwatch.read().processor_s - self.processor_s

    def _count(self) -> None:
        uncounted_s = self._uncounted_s
        self.processor_s += uncounted_s
        if self._seen_s:
            self._references += uncounted_s / statistics.fmean(self._seen_s[-2:])


_IMAGES, _WEIGHTS = torch.ones(4, 16, 8, 8), torch.ones(32, 16, 3, 3)


def reference_s() -> float:
    """Processor seconds of the reference just now, with its data in the caches: whatever ran before it."""
    with torch.no_grad():
        functional.conv2d(_IMAGES, _WEIGHTS, padding=1)
        stopwatch = Stopwatch()
        for _ in range(2):
            functional.conv2d(_IMAGES, _WEIGHTS, padding=1)
        return stopwatch.read().processor_s
