"""How fast this machine trains, so that slower devices can be imitated.

A micro-batch through a part of the network, forward and backward, is timed; a device gets the pace with which
the part takes as long as the equations say. Whether a stage then follows its FLOPs is measured, not imposed.

A pace is found on all devices at once, as they compute in a batch: who shares a processor's caches and begins
after a pause takes longer than who has it to himself. Where the network's blocks are alike, it is found with
as many of them as a device has: a quota interrupts long passes, which take more of the processor for that.
"""

from __future__ import annotations

import copy
import statistics
from dataclasses import astuple, dataclass
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn

from edgeplan.runtime.emulation.holding import held
from edgeplan.runtime.emulation.modes import KERNEL, NONE
from edgeplan.runtime.emulation.pace import MACHINE, Pace, Stretched, timed
from edgeplan.runtime.emulation.quotas import own_group
from edgeplan.runtime.pipeline.stages.stage_process import StageProcess
from edgeplan.runtime.processes.exchange import ALL, exchanging
from edgeplan.runtime.processes.stopwatch import Spent

UNTIMED, TIMED = 2, 20
MOST_S = 8.0  # that a device computes while its pace is found


@dataclass(frozen=True)
class Trial:
    """What a device finds its pace with.

    Parameters
    ----------
    module, given
        Some layers, and a micro-batch of their input.
    wanted_s
        Seconds of the instance that the process's device takes for them, forward and backward.
    """

    module: nn.Module
    given: Tensor
    wanted_s: float


def time_passes(module: nn.Module, given: Tensor, pace: Pace = MACHINE, *, times: int = TIMED) -> Spent:
    """Time a micro-batch through a copy of a module: medians, after some to warm up.

    Parameters
    ----------
    module
        What is computed.
    given
        The micro-batch.
    pace
        At which each pass is computed.
    times
        How often.
    """
    trial, spent = copy.deepcopy(module).train(), []
    with torch.no_grad():
        back = torch.randn_like(trial(given))
    for _ in range(UNTIMED + times):
        output, forward = timed(pace, partial(trial, given))
        _, backward = timed(pace, partial(output.backward, back))
        spent.append((forward, backward))
    return Spent(
        statistics.median(sum(one.wall_s for one in both) for both in spent[UNTIMED:]),
        statistics.median(sum(one.processor_s for one in both) for both in spent[UNTIMED:]),
    )


def calibrate(process: StageProcess, mode: str, whole: nn.Module, given: Tensor, own: Trial | None) -> None:
    """Time everything in one process while the others wait, and let every device find its pace.

    Parameters
    ----------
    process
        This process.
    mode
        How speeds are imposed.
    whole, given
        What all devices together train, and a micro-batch.
    own
        What this process's device finds its pace with; None for who is none, or has no stage.
    """
    figures = torch.zeros(2, dtype=torch.float64)
    if process.rank == 0:
        figures = torch.tensor(astuple(time_passes(whole, given)), dtype=torch.float64)
    with exchanging(ALL):
        dist.broadcast(figures, src=0)
    wall_s, processor_s = figures.tolist()
    process.note("calibrated", wall_s=wall_s, processor_s=processor_s)
    process.meeting.wait()
    if own is not None and mode != NONE:
        _find_pace(process, mode, own)
    process.meeting.wait()


def _find_pace(process: StageProcess, mode: str, own: Trial) -> None:
    wanted_s = process.slower * own.wanted_s
    times = max(1, min(TIMED, round(MOST_S / wanted_s)))

    def timed_at(pace: Pace) -> Spent:
        return time_passes(own.module, own.given, pace, times=times)

    free = time_passes(own.module, own.given)
    if mode == KERNEL:
        holding = held(own_group(), timed_at, free=free, wanted_s=wanted_s)
        process.pace = holding.pace
        process.note("held", **holding.to_document(process.slower))
        return
    spent = timed_at(Stretched(wanted_s / free.processor_s))
    process.pace = Stretched(wanted_s / spent.processor_s)
