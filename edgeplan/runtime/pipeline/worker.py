"""One process of a run: ``python -m edgeplan.runtime.pipeline.worker JOB.json``, also under torchrun.

Ranks are the clusters' participants in document order: a control unit, its devices, the server's side.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from edgeplan.errors import UsageError
from edgeplan.runtime.learning.workload import flatten
from edgeplan.runtime.pipeline.averaging import score
from edgeplan.runtime.pipeline.catching_up import catch_up
from edgeplan.runtime.pipeline.job import Job, parameters_path
from edgeplan.runtime.pipeline.process import ParticipantProcess
from edgeplan.runtime.pipeline.report.comparison import run_report
from edgeplan.runtime.pipeline.report.spans import trace_of
from edgeplan.runtime.pipeline.slot_rounds import run_slot
from edgeplan.runtime.pipeline.stages.calibration import Trial, calibrate
from edgeplan.runtime.processes.gathering import gathered
from edgeplan.runtime.processes.joining import taking_part
from edgeplan.runtime.processes.journal import written_by
from edgeplan.runtime.processes.records import events_path, report_path, write_json
from edgeplan.runtime.processes.status import process_peak_bytes
from edgeplan.runtime.report.trace import trace_path


def main(arguments: list[str]) -> None:
    """Play the part that the environment's ``RANK`` names."""
    if len(arguments) != 1:
        raise UsageError("usage: python -m edgeplan.runtime.pipeline.worker JOB.json")
    job = Job.read(Path(arguments[0]).resolve())
    crew, timeout_s = job.crew, job.timeout_s
    with taking_part(
        job.folder, world_size=len(crew.names), threads=crew.threads, timeout_s=timeout_s
    ) as rank:
        _take_part(ParticipantProcess.of(job, rank))


def _take_part(process: ParticipantProcess) -> None:
    job, done = process.job, catch_up(process)
    given = torch.randn(process.hidden(job.problem.instance.training.micro_batch_size))
    everything = process.chain.segment(process.chain.blocks)
    calibrate(process, job.settings.emulation, everything, given, _trial(process, given))
    if process.rank == process.servers[0] and done == 0:
        score(process, 0)
    for slot in job.slots:
        if slot.number > done:
            run_slot(process, slot)
    if process.rank == process.servers[0]:
        _keep_parameters(process)
    process.note("ended", process_peak_bytes=process_peak_bytes())
    write_json(events_path(job.folder, process.seat), list(process.events))
    told = gathered(process.events, process.rank)
    if told is not None:
        absent = (seat for seat, one in enumerate(job.everybody) if one not in job.cast)
        events = [*told, *written_by(job.folder, absent)]
        report = run_report(job, events, torch_version=torch.__version__)
        write_json(trace_path(job.folder), trace_of(job, events))
        write_json(report_path(job.folder), report)


def _trial(process: ParticipantProcess, given: Tensor) -> Trial | None:
    """Return the first stage of this process's device; None for who has none."""
    clusters = (cluster for slot in process.job.slots for cluster in slot.clusters)
    stages = (stage for cluster in clusters for stage in cluster.stages if stage.rank == process.rank)
    first = next(stages, None)
    if first is None or process.device is None:
        return None
    wanted_s = first.cost.compute_s - process.device.overhead_s
    return Trial(process.chain.segment(first.layers), given, wanted_s)


def _keep_parameters(process: ParticipantProcess) -> None:
    chain = process.chain
    parameters = [
        *chain.embedding.parameters(),
        *chain.encoder_parameters(),
        *chain.decoder.parameters(),
    ]
    np.save(parameters_path(process.job.folder), flatten(parameters).numpy(), allow_pickle=False)


if __name__ == "__main__":
    main(sys.argv[1:])
