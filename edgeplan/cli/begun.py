"""When a call of the command line began: time limits count from there, loading included."""

from __future__ import annotations

import time
from contextvars import ContextVar

BEGUN: ContextVar[float | None] = ContextVar("BEGUN", default=None)


def begun() -> float:
    """Return the monotonic time at which the call began, now where nobody noted it."""
    noted = BEGUN.get()
    return time.monotonic() if noted is None else noted
