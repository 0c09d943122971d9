"""One process of a run: ``python -m edgeplan.runtime.snake.worker JOB.json``, also under torchrun.

Ranks 0 to K-1 are the stages' nodes in visiting order; rank K is the server, with transport server.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from edgeplan.errors import UsageError
from edgeplan.runtime.emulation.modes import KERNEL, NONE, PROCESS
from edgeplan.runtime.learning.memory import peak_of_training, repeated_in_training
from edgeplan.runtime.learning.privacy.ledger import Ledger
from edgeplan.runtime.learning.workload import assign, flatten
from edgeplan.runtime.processes.exchange import ALL, exchanging
from edgeplan.runtime.processes.gathering import gathered
from edgeplan.runtime.processes.heartbeat import START_UP
from edgeplan.runtime.processes.joining import taking_part
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.records import (
    Event,
    journal_path,
    ledger_path,
    parameters_path,
    report_path,
    write_json,
)
from edgeplan.runtime.processes.status import process_peak_bytes
from edgeplan.runtime.processes.stopwatch import Spent
from edgeplan.runtime.report.trace import trace_path
from edgeplan.runtime.snake.catching_up import catch_up
from edgeplan.runtime.snake.course import holds_before
from edgeplan.runtime.snake.device.node import NodeProcess
from edgeplan.runtime.snake.federated import federated_round
from edgeplan.runtime.snake.job import Job
from edgeplan.runtime.snake.probing import probe_links
from edgeplan.runtime.snake.report.comparison import run_report
from edgeplan.runtime.snake.report.spans import trace_of
from edgeplan.runtime.snake.serial_rounds import serial_round
from edgeplan.runtime.snake.wire import rounds_counted


def main(arguments: list[str]) -> None:
    """Play the part that the environment's ``RANK`` names."""
    if len(arguments) != 1:
        raise UsageError("usage: python -m edgeplan.runtime.snake.worker JOB.json")
    job = Job.read(Path(arguments[0]).resolve())
    threads, timeout_s = job.settings.threads, job.timeout_s
    with taking_part(job.folder, world_size=job.world_size, threads=threads, timeout_s=timeout_s) as rank:
        _take_part(job, rank)


def _take_part(job: Job, rank: int) -> None:
    node = NodeProcess.of(job, rank)
    node.begins(START_UP, 1)
    initial = flatten(node.workload.parameters(node.workload.layers))
    position = catch_up(node)
    full_step = _calibrate(node)
    if job.settings.emulation != NONE:
        probe_links(node)
    _measure_memory(node)
    with rounds_counted(node, position):
        for round_number in range(position.round, job.settings.rounds + 1):
            serial_round(node, round_number, position.stage if round_number == position.round else 0)
    if rank == len(job.visits) - 1:
        _keep_parameters(node)
    if job.settings.baseline == "fedavg":
        assign(node.workload.parameters(node.workload.layers), initial)
        for round_number in range(1, job.settings.rounds + 1):
            federated_round(node, round_number)
    _report(node, full_step)


def _calibrate(node: NodeProcess) -> Spent:
    """Time full steps in one process while the others wait, and share the figures."""
    figures = torch.zeros(2, dtype=torch.float64)
    if node.rank == 0:
        figures = torch.tensor(astuple(node.time_full_step()), dtype=torch.float64)
    with exchanging(ALL):
        dist.broadcast(figures, src=0)
    full_step = Spent(*figures.tolist())
    if node.job.settings.emulation == KERNEL:
        for stage in range(len(node.job.visits)):  # one after another: none takes another's processor
            node.meet()
            if stage == node.rank:
                node.hold(full_step)
        node.meet()
    elif node.job.settings.emulation == PROCESS and node.shard is not None:
        node.stretch(full_step)
    return full_step


def _measure_memory(node: NodeProcess) -> None:
    if node.shard is None:
        return
    trained, batches = node.job.visits[node.rank].trained, node.batches(0)
    with node.budget.kept():
        peak_bytes = peak_of_training(
            node.workload,
            trained,
            batches,
            optimizer_bytes=node.training.optimizer_bytes,
            learning_rate=node.job.settings.learning_rate,
            objective_of=node.objective_of,
            stepping=node.stepping,
        )
    node.budget.check(peak_bytes)
    inputs, labels = batches[0]
    node.events.append(
        {
            "event": "measured",
            "stage": node.rank,
            "memory_bytes": peak_bytes,
            "batch_bytes": inputs.nbytes + labels.nbytes,
            "repeated_bytes": repeated_in_training(
                node.workload, trained, inputs[:1] if node.is_private else inputs
            ),
        }
    )


def _keep_parameters(node: NodeProcess) -> None:
    flat = flatten(node.workload.parameters(node.workload.layers))
    np.save(parameters_path(node.job.folder), flat.numpy(), allow_pickle=False)


def _report(node: NodeProcess, full_step: Spent) -> None:
    node.events.append({"event": "ended", "rank": node.rank, "process_peak_bytes": process_peak_bytes()})
    events = gathered([*node.events, *node.spent], node.rank)
    if events is not None:
        events += _of_the_absent(node.job)
        buffers = [name for name, _ in node.workload.module.named_buffers()]
        report = run_report(
            node.job, events, full_step=full_step, buffers=buffers, torch_version=torch.__version__
        )
        write_json(trace_path(node.job.folder), trace_of(node.job, report["rounds"]))
        write_json(report_path(node.job.folder), report)


def _of_the_absent(job: Job) -> Iterator[Event]:
    """Yield what nodes that take part no more have written down, where their files are here."""
    present = {job.seat_of(job.node_of(rank)) for rank in range(job.world_size)}
    for seat in range(len(job.holders)):
        if seat not in present:
            yield from Journal(journal_path(job.folder, seat), holds_before(job.legs[-1].first))
            if job.settings.privacy is not None:
                yield from Ledger(ledger_path(job.folder, seat), seat).events


if __name__ == "__main__":
    main(sys.argv[1:])
