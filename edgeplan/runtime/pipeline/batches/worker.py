"""One process of a run: ``python -m edgeplan.runtime.pipeline.batches.worker JOB.json``, also under torchrun.

Ranks are the stages in pipeline order.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeplan.errors import UsageError
from edgeplan.runtime.learning.keeping import keep
from edgeplan.runtime.learning.training import evaluate
from edgeplan.runtime.learning.workload import flatten
from edgeplan.runtime.pipeline.batches.catching_up import catch_up, packed, unpacked
from edgeplan.runtime.pipeline.batches.job import TEST, BatchJob
from edgeplan.runtime.pipeline.batches.process import NodeProcess
from edgeplan.runtime.pipeline.batches.report import run_report, trace_of
from edgeplan.runtime.pipeline.batches.wire import batch_counted
from edgeplan.runtime.pipeline.job import parameters_path
from edgeplan.runtime.pipeline.stages.calibration import Trial, calibrate
from edgeplan.runtime.pipeline.stages.memory import peak_of_stage
from edgeplan.runtime.pipeline.stages.paces import Paces
from edgeplan.runtime.pipeline.stages.pipelining import Run, expecting_stage, neighbour_by
from edgeplan.runtime.pipeline.stages.rehearsal import rehearse
from edgeplan.runtime.processes.gathering import gathered, told_by_all
from edgeplan.runtime.processes.joining import taking_part
from edgeplan.runtime.processes.journal import written_by
from edgeplan.runtime.processes.records import (
    events_path,
    finite,
    progress_path,
    report_path,
    write_json,
)
from edgeplan.runtime.processes.rehearsal import CHECKPOINT, COMPUTE, SEND
from edgeplan.runtime.processes.status import process_peak_bytes
from edgeplan.runtime.report.trace import trace_path
from edgeplan.runtime.sparse.execution.exchange.link import GlooLink, Uplink, unshaped

FLOAT32_BYTES = 4
PHASE = "pipeline"


def main(arguments: list[str]) -> None:
    """Play the part that the environment's ``RANK`` names."""
    if len(arguments) != 1:
        raise UsageError("usage: python -m edgeplan.runtime.pipeline.batches.worker JOB.json")
    job = BatchJob.read(Path(arguments[0]).resolve())
    crew, timeout_s = job.crew, job.timeout_s
    with taking_part(
        job.folder, world_size=len(crew.names), threads=crew.threads, timeout_s=timeout_s
    ) as rank:
        _take_part(NodeProcess.of(job, rank))


def _take_part(process: NodeProcess) -> None:
    done = catch_up(process)
    job, network = process.job, nn.Sequential(*process.layers.values())
    given = job.micro_batch()
    everything = Trial(network, given, job.whole_s(process.rank)) if process.has_stage else None
    calibrate(process, job.settings.emulation, network, given, everything)
    module = nn.Sequential(*process.own(process.rank).values())
    if process.has_stage:
        in_flight, is_first = job.in_flight(process.rank), process.rank == 0
        peak_bytes = peak_of_stage(process, module, process.given(), in_flight, is_first=is_first)
        process.note("measured", memory_bytes=peak_bytes)
    for rank in job.ranks[:-1]:
        count = job.hop_bytes(rank) // FLOAT32_BYTES
        rehearse(process, (rank, rank + 1), count, lambda _other: process.link(), {})
    for number in range(done + 1, job.settings.rounds + 1):
        with batch_counted(process, number):
            _train(process, module, number)
        _collect(process, number)
    if process.rank == job.ranks[-1]:
        flat = flatten([one for layer in process.layers.values() for one in layer.parameters()])
        np.save(parameters_path(job.folder), flat.numpy(), allow_pickle=False)
    process.note("ended", process_peak_bytes=process_peak_bytes())
    write_json(events_path(job.folder, process.seat), list(process.events))
    told = gathered(process.events, process.rank)
    if told is not None:
        absent = set(range(job.num_seats)) - {*job.seats}
        events = [*told, *written_by(job.folder, sorted(absent))]
        write_json(trace_path(job.folder), trace_of(job, events))
        write_json(report_path(job.folder), run_report(job, events, torch_version=torch.__version__))


def _train(process: NodeProcess, module: nn.Module, number: int) -> None:
    """Take a batch through this process's stage, and a step of its optimizer."""
    if not process.has_stage:
        process.meeting.wait()
        return
    run = _stage(process, module, number)
    pixels, labels = process.batch(number)
    losses: list[Tensor] = []
    process.meeting.wait()
    process.begins(COMPUTE, number)
    process.note("begun", batch=number, moment_s=process.now_s())
    is_last = process.rank == process.job.ranks[-1]
    run(
        *([pixels] if process.rank == 0 else []),
        **({"target": labels, "losses": losses} if is_last else {}),
    )
    process.step(process.own(process.rank))
    if is_last:
        process.note("trained", batch=number, loss=finite(torch.stack(losses).mean().item()))


def _stage(process: NodeProcess, module: nn.Module, number: int) -> Run:
    job, rank, link = process.job, process.rank, process.link()
    expected = partial(neighbour_by, link, num_micro_batches=job.num_micro_batches)
    before = expected(rank - 1, job.hop_bytes(rank - 1) // FLOAT32_BYTES) if rank else None
    is_last = rank == job.ranks[-1]
    after = None if is_last else expected(rank + 1, job.hop_bytes(rank) // FLOAT32_BYTES)
    return expecting_stage(
        process,
        module,
        process.given(),
        job.ranks,
        neighbours=(before, after),
        paces=Paces(process.pace, process.pace),
        order=(job.problem.instance.in_flight, job.num_micro_batches, job.in_flight(rank)),
        loss=functional.cross_entropy,
        place={"batch": number},
    )


def _collect(process: NodeProcess, number: int) -> None:
    """Let the last stage have all layers, score and keep them, and give them to the first stage.

    No equation counts this.
    """
    first, last = process.job.ranks[0], process.job.ranks[-1]
    free = GlooLink(process.rank, None, Uplink(), unshaped)
    process.meeting.wait()
    if process.has_stage:
        process.begins(SEND, number)
    state = process.state()
    own = packed(state)
    sizes = told_by_all(len(own))
    if process.rank == last:
        for rank in process.job.ranks[:-1]:
            state |= unpacked(free.receive(sizes[rank], rank))
        process.take(state)
        _score(process, number)
        _keep(process, state, number)
    elif process.has_stage:
        free.send(own, last)
    whole = packed(state) if process.rank == last else torch.empty(0)
    size = told_by_all(len(whole))[last]
    if process.rank == last != first:
        free.send(whole, first)
    elif process.rank == first != last:
        _keep(process, unpacked(free.receive(size, last)), number)
    free.finish()


def _keep(process: NodeProcess, state: Mapping[str, Tensor], number: int) -> None:
    process.begins(CHECKPOINT, number)
    keep(state, (number,), process.job.folder, process.seat)


def _score(process: NodeProcess, number: int) -> None:
    found = evaluate(nn.Sequential(*process.layers.values()), process.job.images(TEST))
    figures = {"loss": finite(found.loss), "accuracy": found.accuracy}
    process.note("scored", batch=number, **figures)
    told = {"phase": PHASE, "round": number, "rounds": process.job.settings.rounds, **figures}
    write_json(progress_path(process.job.folder), told)


if __name__ == "__main__":
    main(sys.argv[1:])
