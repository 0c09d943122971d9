"""Rounds: every device trains its part, and the collectives make all replicas equal again."""

from __future__ import annotations

import math
import time

import torch
import torch.distributed as dist

from edgeplan.runtime.processes.records import progress_path, write_json
from edgeplan.runtime.sparse.execution.device.calibration import time_steps, timed_step
from edgeplan.runtime.sparse.execution.device.memory import measure
from edgeplan.runtime.sparse.execution.device.process import DeviceProcess
from edgeplan.runtime.sparse.execution.device.replica import Replica
from edgeplan.runtime.sparse.execution.exchange.aggregation import Aggregation
from edgeplan.runtime.sparse.execution.job import parameters_path
from edgeplan.runtime.sparse.execution.phases import PLAN, Phase, largest_update

REHEARSALS = 3
CALIBRATION_BATCHES = 4


def calibrate(device: DeviceProcess) -> None:
    """Time the largest update on offer, on all devices at once, as the rounds are."""
    largest = largest_update(device.job.problem.instance)[device.rank]
    batches = [device.material.batch(device.rank, step) for step in range(CALIBRATION_BATCHES)]
    dist.barrier()
    device.note("calibrated", processor_s=time_steps(device.material, largest, batches))


def run_phase(device: DeviceProcess, phase: Phase) -> None:
    """Play this device's part in all rounds of a phase."""
    aggregation = Aggregation(phase.cost, device.rank)
    device.check_order(aggregation)
    trained = phase.cost.devices[device.rank]
    memory = measure(device.material, trained, device.material.batch(device.rank, 0))
    device.note("measured", phase=phase.name, **vars(memory))
    replica = Replica(device.material, trained)
    _rehearse(device, phase, aggregation, replica)
    _score(device, phase, replica, 0)
    for number in range(1, device.job.settings.rounds + 1):
        _train(device, phase, replica, number)
        _aggregate(device, phase, aggregation, replica, number)
        device.check_equal(replica.fingerprint(), f"{phase.name}, round {number}")
        if number % device.job.settings.score_every == 0 or number == device.job.settings.rounds:
            _score(device, phase, replica, number)
    if phase.name == PLAN and device.rank == 0:
        state = {name: tensor.clone() for name, tensor in replica.network.state_dict().items()}
        torch.save(state, parameters_path(device.job.folder))


def _rehearse(device: DeviceProcess, phase: Phase, aggregation: Aggregation, replica: Replica) -> None:
    """Run each collective alone, between barriers: in the rounds the next may begin before one has ended."""
    for repeat in range(REHEARSALS):
        for index in range(len(phase.cost.collectives)):
            takes_part = index in aggregation.sequence
            vectors = aggregation.pack(index, replica) if takes_part else []
            dist.barrier()
            if takes_part:
                begin_s = time.monotonic()
                aggregation.communicate(index, vectors, device.way)
                place = {"phase": phase.name, "collective": index, "repeat": repeat}
                device.note("rehearsed", **place, begin_s=begin_s, end_s=time.monotonic())


def _train(device: DeviceProcess, phase: Phase, replica: Replica, number: int) -> None:
    steps = device.job.settings.local_steps
    losses, processor_s = [], 0.0
    for step in range((number - 1) * steps, number * steps):
        batch = device.material.batch(device.rank, step, device.job.settings.seed)
        loss, spent = timed_step(replica, batch)
        losses.append(loss)
        processor_s += spent.processor_s
    mean = finite(sum(losses) / steps)
    device.note("trained", phase=phase.name, round=number, loss=mean, processor_s=processor_s / steps)


def _aggregate(
    device: DeviceProcess, phase: Phase, aggregation: Aggregation, replica: Replica, number: int
) -> None:
    dist.barrier()
    sent_before, begin_s = device.way.sent_bytes, time.monotonic()
    buffers = [[index, aggregation.run(index, replica, device.way)] for index in aggregation.sequence]
    end_s, sent = time.monotonic(), device.way.sent_bytes
    device.note(
        "aggregated",
        phase=phase.name,
        round=number,
        begin_s=begin_s,
        end_s=end_s,
        sent_bytes=None if sent is None or sent_before is None else sent - sent_before,
        buffers=buffers,
    )


def _score(device: DeviceProcess, phase: Phase, replica: Replica, number: int) -> None:
    """Evaluate one replica, and tell of it: the others are equal."""
    if device.rank != 0:
        return
    score = device.material.workload.evaluate(replica.network.module)
    figures = {"loss": finite(score.loss), "accuracy": score.accuracy}
    device.note("scored", phase=phase.name, round=number, **figures)
    told = {"phase": phase.name, "round": number, "rounds": device.job.settings.rounds, **figures}
    write_json(progress_path(device.job.folder), told)


def finite(loss: float) -> float | None:
    """Return the loss; None once training has diverged, for JSON has no NaN."""
    return loss if math.isfinite(loss) else None
