"""How fast a node trains here: at this machine's pace, stretched by sleep, or held by a quota."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edgeplan.runtime.emulation.quotas import ControlGroup
from edgeplan.runtime.processes.stopwatch import Stopwatch


class Pace:
    """This machine's own."""

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Train inside at this pace."""
        yield


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


@dataclass(frozen=True)
class Held(Pace):
    """Held by the kernel to a share of a processor, while it trains: a plan has no time for anything else.

    Parameters
    ----------
    group
        The process's control group.
    share
        Of a processor.
    """

    group: ControlGroup
    share: float

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Train inside with the quota, and wait for the rest of the last period's pause."""
        self.group.set_share(self.share)
        stopwatch = Stopwatch()
        try:
            yield
        finally:
            spent = stopwatch.read()
            self.group.set_share(None)
        time.sleep(max(0.0, spent.processor_s / self.share - spent.wall_s))
