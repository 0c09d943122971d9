"""One slot of a run: hops tried alone, the batch through every pipeline, the average."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch

from edgeplan.runtime.emulation.modes import KERNEL, PROCESS
from edgeplan.runtime.emulation.orders import relink
from edgeplan.runtime.learning.keeping import keep
from edgeplan.runtime.pipeline.averaging import average
from edgeplan.runtime.pipeline.participants import DEVICE
from edgeplan.runtime.pipeline.parts import play_part
from edgeplan.runtime.pipeline.process import ParticipantProcess
from edgeplan.runtime.pipeline.slots import FLOAT32_BYTES, PlannedCluster, PlannedSlot
from edgeplan.runtime.pipeline.stages.airtime import Airtime
from edgeplan.runtime.pipeline.stages.memory import peak_of_stage
from edgeplan.runtime.pipeline.stages.rehearsal import rehearse
from edgeplan.runtime.pipeline.wire import slot_counted
from edgeplan.runtime.processes.rehearsal import CHECKPOINT


def run_slot(process: ParticipantProcess, slot: PlannedSlot) -> None:
    """Play this process's part in a slot."""
    cluster = slot.of_rank(process.rank)
    if cluster is not None and process.participant.role == DEVICE:
        _measure(process, slot, cluster)
    _let_links_be_those_of(process, slot)
    with _bands(process, slot):
        for one in slot.clusters:
            for source, target, stage in one.hops:
                count, place = stage.hop_bytes // FLOAT32_BYTES, {"slot": slot.number}
                rehearse(process, (source, target), count, partial(process.link_to, slot), place)
        with slot_counted(process, slot):
            play_part(process, slot)
            process.meeting.wait()
            average(process, slot)
    process.begins(CHECKPOINT, slot)
    keep(process.state(), (slot.number,), process.job.folder, process.seat)
    process.meeting.wait()  # who is beyond it knows that all have kept the slot


def _measure(process: ParticipantProcess, slot: PlannedSlot, cluster: PlannedCluster) -> None:
    index = cluster.pipeline.index(process.rank)
    planned = cluster.stages[index]
    given = torch.zeros(process.hidden(process.job.problem.instance.training.micro_batch_size))
    segment = process.chain.segment(planned.layers)
    peak_bytes = peak_of_stage(process, segment, given, planned.in_flight, is_first=index == 0)
    process.note("measured", slot=slot.number, memory_bytes=peak_bytes)


def _let_links_be_those_of(process: ParticipantProcess, slot: PlannedSlot) -> None:
    """Let the kernel's links have the rates of the slot; nothing is on its way meanwhile."""
    process.meeting.wait()
    job = process.job
    if job.settings.emulation == KERNEL and process.rank == 0:
        links = slot.links(len(job.cast)).slower(job.slower)
        relink(links, job.folder, timeout_s=job.timeout_s)
    process.meeting.wait()


@contextmanager
def _bands(process: ParticipantProcess, slot: PlannedSlot) -> Iterator[None]:
    """Keep the bands of this process's hops while a slot lasts; of two ends the first one keeps it."""
    own: list[Path] = []
    if process.job.settings.emulation == PROCESS:
        ends = {tuple(sorted(pair)) for pair in slot.links(len(process.job.cast)).pairs}
        own = [process.airtime_path(second) for first, second in ends if first == process.rank]
    for path in own:
        Airtime.free(path)
    yield
    for path in own:
        path.unlink()
