"""One process of a run: ``python -m edgeplan.runtime.federated.worker JOB.json``, also under torchrun.

Ranks 0 to K-1 are the clients; rank K is the server.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from edgeplan.errors import UsageError
from edgeplan.runtime.federated.client import ClientProcess
from edgeplan.runtime.federated.job import Job
from edgeplan.runtime.federated.presence import Presence
from edgeplan.runtime.federated.report.comparison import run_report
from edgeplan.runtime.federated.report.spans import trace_of
from edgeplan.runtime.federated.roll_call import Attendance, open_store
from edgeplan.runtime.federated.server import ServerProcess
from edgeplan.runtime.learning.workload import flatten
from edgeplan.runtime.processes.joining import check_world_size, started
from edgeplan.runtime.processes.records import events_path, parameters_path, report_path, write_json
from edgeplan.runtime.report.events import Events
from edgeplan.runtime.report.trace import trace_path


def main(arguments: list[str]) -> None:
    """Play the part that the environment's ``RANK`` names."""
    if len(arguments) != 1:
        raise UsageError("usage: python -m edgeplan.runtime.federated.worker JOB.json")
    job = Job.read(Path(arguments[0]).resolve())
    with started(job.folder, threads=job.settings.threads) as rank:
        check_world_size(len(job.names))
        presence = Presence.of(job, rank)
        store = open_store(job.client_timeout_s)
        if rank == job.server_rank:
            _report(ServerProcess(job, store, presence))
        elif job.names[rank] in job.away:
            Attendance(store, rank).wait_for_end()
        else:
            ClientProcess(job, presence, store).take_part()


def _report(server: ServerProcess) -> None:
    job, events = server.job, server.lead()
    np.save(parameters_path(job.folder), flatten(server.parameters).numpy(), allow_pickle=False)
    write_json(events_path(job.folder, job.server_rank), events)
    buffers = [name for name, _ in server.workload.module.named_buffers()]
    report = run_report(job, Events(events), buffers=buffers, torch_version=torch.__version__)
    write_json(trace_path(job.folder), trace_of(job, report["rounds"]))
    write_json(report_path(job.folder), report)


if __name__ == "__main__":
    main(sys.argv[1:])
