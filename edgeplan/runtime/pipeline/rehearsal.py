"""A hop alone: an activation and the gradient back, as the equations have them, and empty ones.

In the pipeline a message may have to wait for those before it; alone it takes as long as the hop makes it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch

from edgeplan.runtime.pipeline.stage_process import StageProcess
from edgeplan.runtime.sparse.execution.exchange.link import GlooLink

REPEATS = 3


def rehearse(
    process: StageProcess,
    ends: tuple[int, int],
    count: int,
    link_to: Callable[[int], GlooLink],
    place: dict[str, int],
) -> None:
    """Try a hop; all processes call this, and its first end notes the seconds of the instance.

    Parameters
    ----------
    process
        This process.
    ends
        Ranks of who sends activations, and who takes them.
    count
        Values of an activation.
    link_to
        Makes a link to the other end.
    place
        Members of the event.
    """
    if process.rank not in ends:
        for _ in range(REPEATS + 1):
            process.meeting.wait()
        return
    other = ends[1] if process.rank == ends[0] else ends[0]
    link, is_first = link_to(other), process.rank == ends[0]
    empty_s = statistics.median(_both_ways(process, link, other, 0, is_first) for _ in range(REPEATS))
    full_s = _both_ways(process, link, other, count, is_first)
    if is_first:
        process.note("rehearsed", **place, source=ends[0], target=ends[1], transfer_s=full_s, empty_s=empty_s)


def _both_ways(process: StageProcess, link: GlooLink, other: int, count: int, is_first: bool) -> float:
    """Return the seconds that a message there and one back take, to whoever begins."""
    values, coming = torch.zeros(count), link.receive_all([count], other)
    process.meeting.wait()
    begin_s = process.now_s()
    if is_first:
        link.send(values, other)
    next(coming)
    if not is_first:
        link.send(values, other)
    lasted_s = process.now_s() - begin_s
    link.finish()
    return lasted_s
