"""How fast this machine trains, so that slower devices can be imitated.

A micro-batch through the whole encoder, forward and backward, is timed; a device gets the pace with which it
takes as long as equation (1) says without the overhead, which is slept. Whether a segment then follows its
FLOPs is measured, not imposed.
"""

from __future__ import annotations

import copy
import math
import statistics
from dataclasses import astuple

import torch
import torch.distributed as dist

from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.models.segment_scheduling.instance import Device
from edgeplan.runtime.emulation.holding import held
from edgeplan.runtime.emulation.modes import KERNEL, NONE
from edgeplan.runtime.emulation.pace import MACHINE, Pace, Stretched
from edgeplan.runtime.emulation.quotas import own_group
from edgeplan.runtime.pipeline.chain import Chain
from edgeplan.runtime.pipeline.process import ParticipantProcess
from edgeplan.runtime.processes.stopwatch import Spent, Stopwatch

UNTIMED, TIMED = 2, 8
MOST_S = 4.0  # that a device computes while its pace is found


def flops_of(problem: SegmentScheduling) -> float:
    """FLOPs of a micro-batch through the whole encoder."""
    return math.fsum(problem.segments.block_flops)


def slowdown_of(problem: SegmentScheduling, device: Device, whole_s: float) -> float:
    """Return how many times as long the whole encoder takes on a device as `whole_s`.

    Examples
    --------
    >>> from edgeplan.models.segment_scheduling.examples import two_blocks_two_phones
    >>> problem = two_blocks_two_phones()
    >>> slowdown_of(problem, problem.instance.clusters[0].devices[0], whole_s=0.1)
    3.0
    """
    return flops_of(problem) / device.flops_per_s / whole_s


def time_whole(chain: Chain, shape: tuple[int, ...], pace: Pace = MACHINE, *, timed: int = TIMED) -> Spent:
    """Time a micro-batch through a copy of the whole encoder: medians, after some to warm up.

    Parameters
    ----------
    chain
        The network.
    shape
        Of the micro-batch.
    pace
        At which each pass is computed.
    timed
        How often.
    """
    encoder = copy.deepcopy(chain.segment(chain.blocks)).train()
    given, back = torch.randn(shape, requires_grad=True), torch.randn(shape)
    spent = []
    for _ in range(UNTIMED + timed):
        stopwatch = Stopwatch()
        with pace.kept():
            output = encoder(given)
        with pace.kept():
            output.backward(back)
        spent.append(stopwatch.read())
    return Spent(
        statistics.median(one.wall_s for one in spent[UNTIMED:]),
        statistics.median(one.processor_s for one in spent[UNTIMED:]),
    )


def calibrate(process: ParticipantProcess) -> None:
    """Time the encoder in one process while the others wait, and let every device find its pace.

    A pace is found on all devices at once, as they compute in a slot: who shares a processor's caches and
    begins after a pause takes longer than who has it to himself.
    """
    shape = process.hidden(process.job.problem.instance.training.micro_batch_size)
    figures = torch.zeros(2, dtype=torch.float64)
    if process.rank == 0:
        figures = torch.tensor(astuple(time_whole(process.chain, shape)), dtype=torch.float64)
    dist.broadcast(figures, src=0)
    whole = Spent(*figures.tolist())
    process.note("calibrated", wall_s=whole.wall_s, processor_s=whole.processor_s)
    process.meeting.wait()
    if process.device is not None and process.job.settings.emulation != NONE:
        _find_pace(process, process.device, whole, shape)
    process.meeting.wait()


def _find_pace(process: ParticipantProcess, device: Device, whole: Spent, shape: tuple[int, ...]) -> None:
    slower, problem = process.job.slower, process.job.problem
    wanted_s = slower * flops_of(problem) / device.flops_per_s
    timed = max(1, min(TIMED, round(MOST_S / wanted_s)))

    def timed_at(pace: Pace) -> Spent:
        return time_whole(process.chain, shape, pace, timed=timed)

    if process.job.settings.emulation == KERNEL:
        holding = held(own_group(), timed_at, free=whole, wanted_s=wanted_s)
        process.pace = holding.pace
        process.note("held", **holding.to_document(slower))
        return
    spent = timed_at(Stretched(wanted_s / whole.processor_s))
    process.pace = Stretched(wanted_s / spent.processor_s)
