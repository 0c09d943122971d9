"""Each hop of a slot alone: an activation and the gradient back, as equation (2) has them, and empty ones.

In the pipeline a message may have to wait for those before it; alone it takes as long as the hop makes it.
"""

from __future__ import annotations

import statistics

import torch

from edgeplan.runtime.pipeline.process import ParticipantProcess
from edgeplan.runtime.pipeline.slots import FLOAT32_BYTES, PlannedSlot

REPEATS = 3


def rehearse(process: ParticipantProcess, slot: PlannedSlot) -> None:
    """Try all hops of a slot, one after another."""
    for cluster in slot.clusters:
        for source, target, stage in cluster.hops:
            ends = (source, target)
            empty_s = _both_ways(process, slot, ends, 0, REPEATS)
            full_s = _both_ways(process, slot, ends, stage.hop_bytes // FLOAT32_BYTES, 1)
            if process.rank == source:
                place = {"slot": slot.number, "source": source, "target": target}
                process.note("rehearsed", **place, transfer_s=full_s, empty_s=empty_s)


def _both_ways(
    process: ParticipantProcess, slot: PlannedSlot, ends: tuple[int, int], count: int, repeats: int
) -> float:
    """Return the seconds of the instance that a message there and one back take, to whoever begins."""
    if process.rank not in ends:
        for _ in range(repeats):
            process.meeting.wait()
        return 0.0
    other = ends[1] if process.rank == ends[0] else ends[0]
    link, values, lasted_s = process.link_to(slot, other), torch.zeros(count), []
    for _ in range(repeats):
        coming = link.receive_all([count], other)
        process.meeting.wait()
        begin_s = process.now_s()
        if process.rank == ends[0]:
            link.send(values, other)
        next(coming)
        if process.rank == ends[1]:
            link.send(values, other)
        lasted_s.append(process.now_s() - begin_s)
        link.finish()
    return statistics.median(lasted_s)
