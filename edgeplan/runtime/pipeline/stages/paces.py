"""How long what a participant computes lasts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edgeplan.runtime.emulation.pace import MACHINE, Pace


@dataclass(frozen=True)
class Paces:
    """How fast a stage computes.

    Parameters
    ----------
    forward, backward
        Of a micro-batch's passes.
    overhead_s
        Seconds here that a micro-batch takes besides.
    """

    forward: Pace = MACHINE
    backward: Pace = MACHINE
    overhead_s: float = 0.0


@dataclass(frozen=True)
class Lasting(Pace):
    """A time that the instance has as such: sleep fills up what the work leaves of it.

    Parameters
    ----------
    seconds
        Here.
    """

    seconds: float

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Compute inside, and sleep for the rest of the time."""
        end_s = time.monotonic() + self.seconds
        yield
        time.sleep(max(0.0, end_s - time.monotonic()))
