"""The quota with which work takes as long on a node as it should.

A share is not quite a speed: work that is interrupted finds colder caches, and takes more of the processor.
So the quota follows from the processor time that the work takes under it, and is tried again until it bears
out: a processor that others share is now slower, now faster. The speed that it had in the last trial is the
usual one from then on. The time on the wall is then what is measured, and depends on other load besides.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgeplan.runtime.emulation.pace import MACHINE, MOST, Held, Pace
from edgeplan.runtime.emulation.quotas import ControlGroup
from edgeplan.runtime.processes.stopwatch import Spent

_MOST_TRIALS = 6
_TRIALS_TOGETHER = 3
_NEAR = 0.04  # of the time that a step should take
_USED_BY_ONE = 0.9  # of a processor at most: the network and the system need some
_USED_BY_ALL = 0.45  # of all, for work that many interrupt takes half as much again


@dataclass(frozen=True)
class Holding:
    """How a node is held to its speed.

    Parameters
    ----------
    pace
        With its quota, or the machine's own where the node is not slower than that.
    wanted_s, step_s
        Seconds that a step should take, and those that it takes.
    """

    pace: Pace
    wanted_s: float
    step_s: float

    @property
    def share(self) -> float | None:
        """Of a processor; None without a quota."""
        return self.pace.share if isinstance(self.pace, Held) else None

    def to_document(self, slower: float) -> dict[str, Any]:
        """Return the figures as plain JSON values, in seconds of a run that is so many times slower."""
        return {
            "share": self.share,
            "wanted_s": self.wanted_s / slower,
            "step_s": self.step_s / slower,
        }


def held(
    group: ControlGroup,
    time_step: Callable[[Pace], Spent],
    *,
    free: Spent,
    wanted_s: float,
    together: bool = False,
) -> Holding:
    """Find the quota for a node.

    Parameters
    ----------
    group
        The node's control group.
    time_step
        Times a step at a pace.
    free
        What it takes without a quota.
    wanted_s
        Seconds that it should take.
    together
        Whether nodes wait for each other in `time_step`: then all of them make as many trials.
    """
    if together:
        return _held_together(group, time_step, free=free, wanted_s=wanted_s)
    if free.processor_s >= wanted_s:
        return Holding(MACHINE, wanted_s, free.wall_s)
    pace, trials = Held(group, free.processor_s / wanted_s), 0
    while True:
        spent, trials = time_step(pace), trials + 1
        needed = spent.processor_s / wanted_s
        if abs(needed / pace.share - 1) <= _NEAR or trials == _MOST_TRIALS:
            return Holding(pace.tried(pace.share), wanted_s, spent.wall_s)
        pace = pace.tried(needed)


def _held_together(
    group: ControlGroup, time_step: Callable[[Pace], Spent], *, free: Spent, wanted_s: float
) -> Holding:
    """Take the mean of what some trials need, for they can't go on until one bears out."""
    too_slow, needed, spent = free.processor_s >= wanted_s, [free.processor_s / wanted_s], free
    for _ in range(_TRIALS_TOGETHER):
        spent = time_step(MACHINE if too_slow else Held(group, needed[-1]))
        needed.append(min(MOST, spent.processor_s / wanted_s))
    pace = MACHINE if too_slow else Held(group, statistics.fmean(needed[1:]))
    return Holding(pace, wanted_s, spent.wall_s)


def slower_for(shares: Sequence[float]) -> float:
    """How many times slower everything must be, for nodes that work at once to have these shares.

    Parameters
    ----------
    shares
        Of a processor, that the nodes would need to be as fast as they should; more than 1 is possible.

    Examples
    --------
    >>> slower_for([0.25, 0.5])
    1.0
    """
    processors = len(os.sched_getaffinity(0))
    at_once = sum(shares) / (_USED_BY_ALL * processors) if len(shares) > 1 else 0.0
    return max(1.0, at_once, max(shares) / _USED_BY_ONE)
