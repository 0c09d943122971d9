"""Time within a round, common to all processes.

Every process reads the same clock, so a round's origin and the seconds to leave out (spent on
checks that the plan knows nothing of) travel from process to process with the parameters.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from edgeplan.runtime.processes.clock import now_s


class RoundClock:
    """Seconds since the start of the round, without those spent on checks.

    Parameters
    ----------
    origin_s
        Start of the round on the common clock.
    paused_s
        Seconds spent on checks in this round so far.
    slower
        Seconds here for a second of the round.
    """

    def __init__(self, origin_s: float, paused_s: float = 0.0, slower: float = 1.0) -> None:
        self.origin_s = origin_s
        self.paused_s = paused_s
        self.slower = slower

    @classmethod
    def starting_now(cls, slower: float = 1.0) -> RoundClock:
        """Begin a round."""
        return cls(now_s(), slower=slower)

    def now_s(self) -> float:
        """Seconds of the round so far."""
        return (now_s() - self.origin_s) / self.slower - self.paused_s

    def wait_until(self, moment_s: float) -> None:
        """Sleep until a moment of the round, if it is still to come."""
        time.sleep(self.slower * max(0.0, moment_s - self.now_s()))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave what happens inside out of the round's time."""
        begin_s = now_s()
        yield
        self.paused_s += (now_s() - begin_s) / self.slower
