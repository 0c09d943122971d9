"""Rounds: every device trains its part, and the collectives make all replicas equal again."""

from __future__ import annotations

import statistics
from functools import partial

import torch

from edgeplan.models.sparse_update.plan_cost import device_cost
from edgeplan.runtime.emulation.holding import held
from edgeplan.runtime.emulation.modes import KERNEL
from edgeplan.runtime.emulation.quotas import own_group
from edgeplan.runtime.learning.keeping import keep, recall
from edgeplan.runtime.processes.records import finite, progress_path, write_json
from edgeplan.runtime.processes.rehearsal import AGGREGATE, CHECKPOINT, COMPUTE
from edgeplan.runtime.sparse.execution.course import Position
from edgeplan.runtime.sparse.execution.device.calibration import calibration_batches, time_steps, timed_step
from edgeplan.runtime.sparse.execution.device.memory import measure, predicted_peak
from edgeplan.runtime.sparse.execution.device.process import DeviceProcess
from edgeplan.runtime.sparse.execution.device.replica import Replica
from edgeplan.runtime.sparse.execution.exchange.aggregation import Aggregation, joined
from edgeplan.runtime.sparse.execution.job import parameters_path
from edgeplan.runtime.sparse.execution.phases import PLAN, Phase, largest_update
from edgeplan.runtime.sparse.execution.wire import rounds_counted

REHEARSALS = 3


def calibrate(device: DeviceProcess) -> None:
    """Time the largest update on offer, on all devices at once, as the rounds are."""
    instance = device.job.instance
    largest = largest_update(instance)[device.rank]
    timed = partial(
        time_steps,
        device.material,
        largest,
        calibration_batches(device.material, device.index),
        device.job.settings.local_steps,
        device.meeting.wait,
    )
    free = timed()
    device.note("calibrated", processor_s=free.processor_s)
    if device.job.settings.emulation == KERNEL:
        group = own_group()
        wanted_s = device.job.slower * device_cost(instance, device.rank, largest).step_s
        holding = held(group, timed, free=free, wanted_s=wanted_s, together=True)
        device.pace = holding.pace
        device.note("held", **holding.to_document(device.job.slower))


def run_phases(device: DeviceProcess, position: Position) -> None:
    """Play this device's part in all rounds after one that is done."""
    for index in range(position.phase, len(device.job.phases)):
        _run_phase(device, position if index == position.phase else Position(index, 0))


def _run_phase(device: DeviceProcess, position: Position) -> None:
    phase, rounds = device.job.phases[position.phase], device.job.settings.rounds
    aggregation = Aggregation(phase.cost, device.rank)
    device.check_order(aggregation)
    _measure(device, phase)
    replica = Replica(device.material, phase.cost.devices[device.rank])
    _rehearse(device, phase, aggregation, replica)
    if position.round:
        replica.restore(recall(position, device.job.folder, device.index))
        device.check_equal(replica.fingerprint(), f"{phase.name}, round {position.round}, as it was kept")
    _score(device, phase, replica, position.round)
    with rounds_counted(device, position):
        for number in range(position.round + 1, rounds + 1):
            _train(device, phase, replica, number)
            _aggregate(device, phase, aggregation, replica, number)
            device.begins(CHECKPOINT, phase, number)
            keep(replica.state(), Position(position.phase, number), device.job.folder, device.index)
            device.check_equal(replica.fingerprint(), f"{phase.name}, round {number}")
            _score(device, phase, replica, number)
    if phase.name == PLAN and device.rank == 0:
        state = {name: tensor.clone() for name, tensor in replica.network.state_dict().items()}
        torch.save(state, parameters_path(device.job.folder))


def _measure(device: DeviceProcess, phase: Phase) -> None:
    """Take steps on copies, within the device's memory."""
    trained, batch = phase.cost.devices[device.rank], device.material.batch(device.index, 0)
    peak, budget = predicted_peak(device.material, trained, batch), device.budget(phase)
    with budget.kept():
        memory = measure(device.material, trained, batch)
    budget.check(memory.peak_bytes)
    device.note("measured", phase=phase.name, predicted_peak_bytes=peak.num_bytes, **vars(memory))


def _rehearse(device: DeviceProcess, phase: Phase, aggregation: Aggregation, replica: Replica) -> None:
    """Run each collective alone, between barriers: in the rounds the next may begin before one has ended."""
    for repeat in range(REHEARSALS):
        for index in range(len(phase.cost.collectives)):
            if index not in aggregation.sequence:
                device.meeting.wait()
                continue
            buffer = joined(aggregation.pack(index, replica))
            ready = aggregation.expect(index, replica, device.way)
            device.meeting.wait()
            begin_s = device.now_s()
            ready(buffer)
            place = {"phase": phase.name, "collective": index, "repeat": repeat}
            device.note("rehearsed", **place, begin_s=begin_s, end_s=device.now_s())


def _train(device: DeviceProcess, phase: Phase, replica: Replica, number: int) -> None:
    steps = device.job.settings.local_steps
    batches = [
        device.material.batch(device.index, step, device.job.settings.seed)
        for step in range((number - 1) * steps, number * steps)
    ]
    device.meeting.wait()
    device.begins(COMPUTE, phase, number)
    begin_s = device.now_s()
    with device.pace.kept(), device.budget(phase).kept():
        taken = [timed_step(replica, batch) for batch in batches]
    end_s = device.now_s()
    device.note(
        "trained",
        phase=phase.name,
        round=number,
        loss=finite(statistics.fmean(loss for loss, _ in taken)),
        begin_s=begin_s,
        end_s=end_s,
        processor_s=statistics.fmean(spent.processor_s for _, spent in taken),
    )


def _aggregate(
    device: DeviceProcess, phase: Phase, aggregation: Aggregation, replica: Replica, number: int
) -> None:
    expected = [(index, aggregation.expect(index, replica, device.way)) for index in aggregation.sequence]
    device.meeting.wait()
    device.begins(AGGREGATE, phase, number)
    sent_before, begin_s = device.way.sent_bytes, device.now_s()
    buffers = [[index, aggregation.run(index, replica, ready)] for index, ready in expected]
    end_s, sent = device.now_s(), device.way.sent_bytes
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
    """Evaluate one replica where the round has a score, and tell of it: the others are equal."""
    settings = device.job.settings
    if device.rank != 0 or (number % settings.score_every and number != settings.rounds):
        return
    score = device.material.workload.evaluate(replica.network.module)
    figures = {"loss": finite(score.loss), "accuracy": score.accuracy}
    device.note("scored", phase=phase.name, round=number, **figures)
    told = {"phase": phase.name, "round": number, "rounds": settings.rounds, **figures}
    write_json(progress_path(device.job.folder), told)
