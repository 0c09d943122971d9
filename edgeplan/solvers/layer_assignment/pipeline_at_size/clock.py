"""The time that is left, asked for in every loop."""

from __future__ import annotations

import time
from dataclasses import dataclass


class OutOfTimeError(Exception):
    """The search must end now."""


@dataclass(frozen=True)
class Clock:
    """A point in time.

    Parameters
    ----------
    until
        Monotonic time at which to end.
    """

    until: float

    @property
    def left_s(self) -> float:
        """Seconds left, negative when it is late."""
        return self.until - time.monotonic()

    def check(self) -> None:
        """Raise when the time is up.

        Raises
        ------
        OutOfTimeError
            When it is late.
        """
        if self.left_s <= 0:
            raise OutOfTimeError

    def at_most(self, seconds: float) -> Clock:
        """Return a clock that ends after so many seconds, or with this one."""
        return Clock(min(self.until, time.monotonic() + seconds))
