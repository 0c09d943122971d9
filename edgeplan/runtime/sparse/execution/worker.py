"""One process of a run: ``python -m edgeplan.runtime.sparse.execution.worker JOB.json``, also under torchrun.

Its rank is the index of its device among those that are left.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from edgeplan.errors import UsageError
from edgeplan.runtime.emulation.modes import NONE
from edgeplan.runtime.processes.gathering import gathered
from edgeplan.runtime.processes.joining import taking_part
from edgeplan.runtime.processes.journal import written_by
from edgeplan.runtime.processes.records import events_path, report_path, write_json
from edgeplan.runtime.processes.status import process_peak_bytes
from edgeplan.runtime.report.trace import trace_path
from edgeplan.runtime.sparse.execution.catching_up import catch_up
from edgeplan.runtime.sparse.execution.device.process import DeviceProcess
from edgeplan.runtime.sparse.execution.job import Job
from edgeplan.runtime.sparse.execution.probing import probe_links
from edgeplan.runtime.sparse.execution.report.comparison import run_report
from edgeplan.runtime.sparse.execution.report.seen import Seen
from edgeplan.runtime.sparse.execution.report.spans import trace_of
from edgeplan.runtime.sparse.execution.rounds import calibrate, run_phases


def main(arguments: list[str]) -> None:
    """Play the part that the environment's ``RANK`` names."""
    if len(arguments) != 1:
        raise UsageError("usage: python -m edgeplan.runtime.sparse.execution.worker JOB.json")
    job = Job.read(Path(arguments[0]).resolve())
    crew, timeout_s = job.crew, job.timeout_s
    with taking_part(
        job.folder, world_size=len(crew.names), threads=crew.threads, timeout_s=timeout_s
    ) as rank:
        _take_part(DeviceProcess.of(job, rank))


def _take_part(device: DeviceProcess) -> None:
    position = catch_up(device)
    calibrate(device)
    if device.job.settings.emulation != NONE:
        probe_links(device)
    run_phases(device, position)
    device.note("ended", process_peak_bytes=process_peak_bytes())
    folder = device.job.folder
    write_json(events_path(folder, device.index), list(device.events))
    told = gathered(device.events, device.rank)
    if told is not None:
        events = [*told, *written_by(folder, map(device.job.index_of, sorted(device.job.away)))]
        report = run_report(device.job, device.material.layers, events, torch_version=torch.__version__)
        write_json(trace_path(folder), trace_of(device.job, Seen(events)))
        write_json(report_path(folder), report)


if __name__ == "__main__":
    main(sys.argv[1:])
