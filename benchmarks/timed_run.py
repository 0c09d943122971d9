"""A function in a forked process of its own: its time, a hard limit, and no trace in ours.

The child inherits the instance without reading it again, may import a back-end that this process must
not, and is killed when it does not end.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any


@dataclass(frozen=True)
class TimedRun:
    """What a run gave.

    Parameters
    ----------
    value
        What the function returned; None when it did not return.
    seconds
        Wall-clock time of the function, or until the run was given up.
    failure
        Why there is no value; None when there is one.
    """

    value: Any
    seconds: float
    failure: str | None = None


def timed_run(function: Callable[[], Any], *, limit_s: float) -> TimedRun:
    """Run a function in a forked child.

    Parameters
    ----------
    function
        Takes nothing and returns something that can be pickled.
    limit_s
        Seconds after which the child is killed.

    Examples
    --------
    >>> timed_run(lambda: 2 + 2, limit_s=60).value
    4
    """
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_call, args=(function, theirs))
    started = time.monotonic()
    child.start()
    theirs.close()
    try:
        if not ours.poll(limit_s):
            return TimedRun(None, time.monotonic() - started, f"killed after {limit_s:.0f} s")
        value, seconds = ours.recv()
        return TimedRun(value, seconds)
    except EOFError:
        child.join()
        return TimedRun(None, time.monotonic() - started, f"ended with {child.exitcode}")
    finally:
        child.kill()
        child.join()
        ours.close()


def _call(function: Callable[[], Any], to_parent: Connection) -> None:
    started = time.monotonic()
    value = function()
    to_parent.send((value, time.monotonic() - started))
