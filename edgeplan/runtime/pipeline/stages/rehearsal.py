"""A hop alone: an activation and the gradient back, as the equations have them, and empty ones.

In the pipeline a message may have to wait for those before it; alone it takes as long as the hop makes it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from edgeplan.runtime.pipeline.stages.stage_process import StageProcess
from edgeplan.runtime.sparse.execution.exchange.link import GlooLink

REPEATS = 4
_UNTIMED = 1  # the first message of a size finds TCP unprepared


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
        for _ in range(2 * REPEATS):
            process.meeting.wait()
        return
    other = ends[1] if process.rank == ends[0] else ends[0]
    link, is_first = link_to(other), process.rank == ends[0]
    counts = [0] * REPEATS + [count] * REPEATS
    coming = link.receive_all(counts, other)  # as in the pipeline, long before they arrive
    lasted_s = [_both_ways(process, link, other, torch.zeros(one), coming, is_first) for one in counts]
    if is_first:
        medians_s = [statistics.median(some[_UNTIMED:]) for some in (lasted_s[:REPEATS], lasted_s[REPEATS:])]
        figures = {"empty_s": medians_s[0], "transfer_s": medians_s[1]}
        process.note("rehearsed", **place, source=ends[0], target=ends[1], **figures)


def _both_ways(
    process: StageProcess,
    link: GlooLink,
    other: int,
    values: Tensor,
    coming: Iterator[Tensor],
    is_first: bool,
) -> float:
    """Return the seconds that a message there and one back take, to whoever begins."""
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
