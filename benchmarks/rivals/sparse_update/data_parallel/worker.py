"""One process of data parallelism: ``python -m`` this module ``data-parallel.json``.

Its rank is the index of its device.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist

from benchmarks.rivals.sparse_update.data_parallel.carrier import Carrier, carry
from benchmarks.rivals.sparse_update.data_parallel.figures import report
from benchmarks.rivals.sparse_update.data_parallel.job import DataParallelJob
from benchmarks.rivals.sparse_update.data_parallel.replica import DataParallelReplica, peak_bytes
from edgeplan.runtime.processes.joining import taking_part
from edgeplan.runtime.processes.records import (
    events_path,
    finite,
    progress_path,
    read_json,
    report_path,
    write_json,
)
from edgeplan.runtime.sparse.execution.device.process import DeviceProcess
from edgeplan.runtime.sparse.execution.job import parameters_path
from edgeplan.runtime.sparse.execution.rounds import calibrate

REHEARSALS = 2


def main(arguments: list[str]) -> None:
    """Play the part that the environment's ``RANK`` names."""
    job = DataParallelJob.read(Path(arguments[0]).resolve())
    crew, timeout_s = job.crew, job.run_job.timeout_s
    with taking_part(
        job.folder, world_size=len(crew.names), threads=crew.threads, timeout_s=timeout_s
    ) as rank:
        device = DeviceProcess.of(job.run_job, rank)
        calibrate(device)
        _run(job, device)
        _tell(job, device)


def _run(job: DataParallelJob, device: DeviceProcess) -> None:
    material, trained = device.material, job.dense.devices[device.rank]
    first = material.batch(device.rank, 0)
    device.note("measured", peak_bytes=peak_bytes(material, trained, job.bucket_cap_mb, first))
    carrier = Carrier(device.way, range(len(device.job.names)))
    replica = DataParallelReplica(material, trained, job.bucket_cap_mb, carrier, carry)
    for _ in range(REHEARSALS):
        replica.rehearse(first)
    _score(device, replica, 0)
    settings = device.job.settings
    for number in range(1, settings.rounds + 1):
        _train(device, replica, carrier, number)
        if number % settings.score_every == 0 or number == settings.rounds:
            _score(device, replica, number)
    if device.rank == 0:
        torch.save(replica.module.state_dict(), parameters_path(job.folder))


def _train(device: DeviceProcess, replica: DataParallelReplica, carrier: Carrier, number: int) -> None:
    """Take a step, and see that all replicas are equal after it.

    Its processor time is this thread's, for another one carries the buckets.
    """
    batch = device.material.batch(device.rank, number - 1, device.job.settings.seed)
    sent_before, began_s = device.way.sent_bytes, time.thread_time()
    loss = replica.train(batch)
    processor_s, sent, trip = time.thread_time() - began_s, device.way.sent_bytes, carrier.trip
    fingerprint = replica.fingerprint()
    device.check_equal(fingerprint, f"round {number}")
    device.note(
        "trained",
        round=number,
        fingerprint=fingerprint,
        loss=finite(loss),
        processor_s=processor_s,
        sent_bytes=None if sent is None or sent_before is None else sent - sent_before,
        begin_s=trip.begin_s,
        end_s=trip.end_s,
        buckets=trip.num_bytes,
    )


def _score(device: DeviceProcess, replica: DataParallelReplica, number: int) -> None:
    if device.rank != 0:
        return
    score = device.material.workload.evaluate(replica.module)
    figures = {"loss": finite(score.loss), "accuracy": score.accuracy}
    device.note("scored", round=number, **figures)
    told = {"phase": "data parallelism", "round": number, "rounds": device.job.settings.rounds, **figures}
    write_json(progress_path(device.job.folder), told)


def _tell(job: DataParallelJob, device: DeviceProcess) -> None:
    write_json(events_path(job.folder, device.rank), list(device.events))
    dist.barrier()
    if device.rank == 0:
        ranks = range(len(device.job.names))
        events = [event for rank in ranks for event in read_json(events_path(job.folder, rank))]
        write_json(report_path(job.folder), report(job, events))


if __name__ == "__main__":
    main(sys.argv[1:])
