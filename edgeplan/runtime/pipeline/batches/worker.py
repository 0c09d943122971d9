"""One process of a run: ``python -m edgeplan.runtime.pipeline.batches.worker JOB.json``, also under torchrun.

Ranks are the stages in pipeline order.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeplan.errors import UsageError
from edgeplan.runtime.emulation.modes import PROCESS
from edgeplan.runtime.learning.training import Shard, evaluate
from edgeplan.runtime.learning.workload import assign, flatten, num_elements
from edgeplan.runtime.pipeline.batches.job import TEST, TRAINING, BatchJob
from edgeplan.runtime.pipeline.batches.report import run_report, trace_of
from edgeplan.runtime.pipeline.job import parameters_path
from edgeplan.runtime.pipeline.stages.calibration import Trial, calibrate
from edgeplan.runtime.pipeline.stages.memory import peak_of_stage
from edgeplan.runtime.pipeline.stages.paces import Paces
from edgeplan.runtime.pipeline.stages.pipelining import Run, expecting_stage, neighbour_by
from edgeplan.runtime.pipeline.stages.rehearsal import rehearse
from edgeplan.runtime.pipeline.stages.stage_process import StageProcess
from edgeplan.runtime.processes.gathering import gathered
from edgeplan.runtime.processes.joining import taking_part
from edgeplan.runtime.processes.meeting import Meeting
from edgeplan.runtime.processes.records import events_path, finite, progress_path, report_path, write_json
from edgeplan.runtime.processes.status import process_peak_bytes
from edgeplan.runtime.report.trace import trace_path
from edgeplan.runtime.sparse.execution.exchange.link import GlooLink, Uplink, unshaped
from edgeplan.runtime.sparse.execution.exchange.ways import Groups

FLOAT32_BYTES = 4
PHASE = "pipeline"


@dataclass(kw_only=True)
class NodeProcess(StageProcess):
    """What a process holds, besides what every process of a pipeline does.

    Parameters
    ----------
    job
        The run.
    layers
        Its copy of the network, of which it trains its own layers.
    images
        Of the training; the first stage uses the pixels, the last one the labels.
    uplink
        The way out of the node, which its messages take one after another.
    """

    job: BatchJob
    layers: dict[str, nn.Module]
    images: Shard
    uplink: Uplink

    @classmethod
    def of(cls, job: BatchJob, rank: int) -> NodeProcess:
        """Build the network and read the images."""
        return cls(
            rank=rank,
            slower=job.slower,
            optimizer_bytes=job.problem.instance.training.optimizer_bytes,
            learning_rate=job.settings.learning_rate,
            meeting=Meeting(job.timeout_s),
            groups=Groups([job.ranks], job.timeout_s),
            job=job,
            layers=job.seeded_layers(),
            images=job.images(TRAINING),
            uplink=Uplink(),
        )

    def own(self, rank: int) -> dict[str, nn.Module]:
        """Layers of a stage."""
        return {name: self.layers[name] for name in self.job.plan.stages[rank].layers}

    def given(self) -> Tensor:
        """Return a micro-batch as it comes into this stage."""
        before = [layer for rank in range(self.rank) for layer in self.own(rank).values()]
        with torch.no_grad():
            passed: Tensor = nn.Sequential(*before)(self.job.micro_batch())
        return passed.clone()

    def link(self) -> GlooLink:
        """Return the links to all other nodes."""
        is_imitated = self.job.settings.emulation == PROCESS
        shapes = self.job.links.slower(self.slower).between if is_imitated else unshaped
        return GlooLink(self.rank, None, self.uplink, shapes)

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        """Return images and labels of a batch, counted from 1."""
        settings, training = self.job.settings, self.job.problem.instance.training
        (batch,) = self.images.batches(
            seed=settings.seed, node=0, visit=number - 1, batch_size=training.batch_size, steps=1
        )
        return batch


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
    job, network = process.job, nn.Sequential(*process.layers.values())
    given = job.micro_batch()
    everything = Trial(network, given, job.whole_s(process.rank))
    calibrate(process, job.settings.emulation, network, given, everything)
    module, is_first = nn.Sequential(*process.own(process.rank).values()), process.rank == 0
    in_flight = job.in_flight(process.rank)
    peak_bytes = peak_of_stage(process, module, process.given(), in_flight, is_first=is_first)
    process.note("measured", memory_bytes=peak_bytes)
    for rank in job.ranks[:-1]:
        count = job.hop_bytes(rank) // FLOAT32_BYTES
        rehearse(process, (rank, rank + 1), count, lambda _other: process.link(), {})
    for number in range(1, job.settings.rounds + 1):
        _train(process, module, number)
        _collect(process, number)
    if process.rank == job.ranks[-1]:
        flat = flatten([one for layer in process.layers.values() for one in layer.parameters()])
        np.save(parameters_path(job.folder), flat.numpy(), allow_pickle=False)
    process.note("ended", process_peak_bytes=process_peak_bytes())
    write_json(events_path(job.folder, process.rank), process.events)
    events = gathered(process.events, process.rank)
    if events is not None:
        write_json(trace_path(job.folder), trace_of(job, events))
        write_json(report_path(job.folder), run_report(job, events, torch_version=torch.__version__))


def _train(process: NodeProcess, module: nn.Module, number: int) -> None:
    """Take a batch through this process's stage, and a step of its optimizer."""
    run = _stage(process, module, number)
    pixels, labels = process.batch(number)
    losses: list[Tensor] = []
    process.meeting.wait()
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
    """Let the last stage have all layers, and score them; no equation counts this."""
    last, free = process.job.ranks[-1], GlooLink(process.rank, None, Uplink(), unshaped)
    process.meeting.wait()
    if process.rank != last:
        own = [one for layer in process.own(process.rank).values() for one in layer.parameters()]
        free.send(flatten(own), last)
        free.finish()
        return
    for rank in process.job.ranks[:-1]:
        parameters = [one for layer in process.own(rank).values() for one in layer.parameters()]
        assign(parameters, free.receive(num_elements(parameters), rank))
    found = evaluate(nn.Sequential(*process.layers.values()), process.job.images(TEST))
    figures = {"loss": finite(found.loss), "accuracy": found.accuracy}
    process.note("scored", batch=number, **figures)
    told = {"phase": PHASE, "round": number, "rounds": process.job.settings.rounds, **figures}
    write_json(progress_path(process.job.folder), told)


if __name__ == "__main__":
    main(sys.argv[1:])
