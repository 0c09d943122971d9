"""How fast a node trains here: at this machine's pace, stretched by sleep, or held by a quota."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from edgeplan.runtime.emulation.quotas import ControlGroup
from edgeplan.runtime.emulation.usual_speed import Work
from edgeplan.runtime.processes.stopwatch import Spent, Stopwatch

SLICE_S = 0.005  # of the processor, between two pauses of work that is steadied
HEADROOM = 1.5  # of its quota: a processor that is slow just now has to give more
MOST = 0.97  # of a processor

StepT = TypeVar("StepT")
FoundT = TypeVar("FoundT")


class Pace:
    """This machine's own."""

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Train inside at this pace."""
        yield

    def steadied(self, steps: Iterable[StepT]) -> Iterable[StepT]:
        """Go through the steps of what is kept at this pace, which may be measured between them."""
        return steps

    def at_usual_speed(self, processor_s: float) -> float:
        """Return processor seconds of what was kept last as if the processor had had its usual speed."""
        return processor_s


MACHINE = Pace()


@dataclass(frozen=True)
class Stretched(Pace):
    """Slowed down by sleep after the work.

    Parameters
    ----------
    slowdown
        Seconds on the node for a second of processor time here.
    """

    slowdown: float

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Train inside, and sleep until the node would be done."""
        stopwatch = Stopwatch()
        yield
        spent = stopwatch.read()
        time.sleep(max(0.0, self.slowdown * spent.processor_s - spent.wall_s))


class Held(Pace):
    """Held by the kernel to a share of a processor, while it trains: a plan has no time for anything else.

    A processor that others share is now slower, now faster. Where the work has steps, they are steadied: a
    piece of work that is always the same is timed between them, and the node is given as much of the
    processor as makes up for it, within a quota that leaves room for that.

    Parameters
    ----------
    group
        The process's control group.
    share
        Of a processor, at its usual speed.
    usual_s
        Seconds of that piece of work at the usual speed; None takes the speed as it comes.
    """

    def __init__(self, group: ControlGroup, share: float, usual_s: float | None = None) -> None:
        self.group, self.share, self.usual_s = group, share, usual_s
        self._work, self._is_kept = Work(usual_s), False

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Train inside with the quota, and wait until the node would be done."""
        self.group.set_share(self.share)
        self._work, self._is_kept = Work(self.usual_s), True
        try:
            yield
        finally:
            self._work.end()
            self._is_kept = False
            self.group.set_share(None)
        self._wait()

    def steadied(self, steps: Iterable[StepT]) -> Iterator[StepT]:
        """Go through steps, and see to it after each of them that they take as long as they should."""
        if not self._is_kept:
            yield from steps
            return
        self.group.set_share(min(MOST, HEADROOM * self.share))
        waited_s = 0.0
        for step in steps:
            yield step
            self._work.measure()
            if self._work.processor_s - waited_s >= SLICE_S:
                self._wait()
                waited_s = self._work.processor_s

    def at_usual_speed(self, processor_s: float) -> float:
        """Return processor seconds of what was kept last as if the processor had had its usual speed."""
        return processor_s * self._work.usual_share

    def tried(self, share: float) -> Held:
        """Return the pace with another share, where the speed of what was kept last is the usual one.

        Parameters
        ----------
        share
            Of a processor, at the speed that was the usual one until now; a moment in which it was far from
            that asks for more than there is.
        """
        seen_s = self._work.seen_s
        if seen_s is None:
            return Held(self.group, min(MOST, share))
        return Held(self.group, min(MOST, share * seen_s / (self.usual_s or seen_s)), seen_s)

    def _wait(self) -> None:
        time.sleep(max(0.0, self._work.done_s / self.share - self._work.wall_s))


def timed(pace: Pace, work: Callable[[], FoundT]) -> tuple[FoundT, Spent]:
    """Do some work at a pace, and return what it found, and its time: that of the processor at usual speed.

    Examples
    --------
    >>> timed(MACHINE, lambda: 7)
    (7, Spent(wall_s=..., processor_s=...))
    """
    stopwatch = Stopwatch()
    with pace.kept():
        found = work()
    spent = stopwatch.read()
    return found, Spent(spent.wall_s, pace.at_usual_speed(spent.processor_s))
