"""What a reader of the figures must know: where the run is not quite what the instance says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from edgeplan.models.network import Network
from edgeplan.runtime.emulation.modes import KERNEL
from edgeplan.runtime.emulation.modes import NONE as NO_EMULATION
from edgeplan.runtime.sparse.execution.course import Position, leg_of
from edgeplan.runtime.sparse.execution.exchange.ways import GLOO
from edgeplan.runtime.sparse.execution.job import Job
from edgeplan.runtime.sparse.execution.phases import DENSE, PHASES, PLAN
from edgeplan.runtime.sparse.execution.remainder import effects_of
from edgeplan.runtime.sparse.execution.report.incidents import incident_line, losses
from edgeplan.runtime.sparse.execution.report.phase_figures import JsonObject
from edgeplan.runtime.sparse.execution.settings import NONE


def notes_on(job: Job, rounds: Sequence[JsonObject]) -> list[str]:
    """Return the notes, one sentence each."""
    return [*_on_losses(job), *_on_collectives(job), *_on_steps(job), *_on_training(job, rounds)]


def _on_losses(job: Job) -> Iterator[str]:
    for leg in range(1, len(job.legs)):
        yield incident_line(job, leg)
    if any(one["round"] is not None for one in losses(job)):
        yield from _on_rounds_without(job)


def _on_rounds_without(job: Job) -> Iterator[str]:
    yield (
        "a slice is averaged over the devices left that train it, from the first round without the lost ones "
        "on; the round in which they were lost was made anew, and nobody was timed in it"
    )
    last = Position(PHASES.index(PLAN), job.settings.rounds)
    away = job.in_leg(leg_of(job.legs, last)).away
    if away and job.plan.collectives is not None:
        yield "the collectives without the lost devices are the canonical ones, not those of the plan"
    yield from effects_of(job.problem, job.plan, away)


def _on_collectives(job: Job) -> Iterator[str]:
    broadcast = job.problem.instance.broadcast
    if job.settings.collectives == GLOO:
        yield (
            "collectives gloo: all-reduce and broadcast are torch.distributed's over loopback, in no time "
            "of the instance's; the bytes that they send are not counted, those of their buffers are"
        )
        return
    yield (
        f"collectives emulated: a ring all-reduce and a {broadcast} broadcast, of messages between two "
        "devices by gloo; a stamp of 8 bytes before each message is not counted"
    )
    if job.settings.emulation == NO_EMULATION:
        yield "the network was not imposed: seconds of aggregation are this machine's own"
        return
    if job.settings.emulation == KERNEL:
        yield "every device was a network namespace, with a link of the instance's rate and latency"
    else:
        yield (
            "a message leaves its device at the instance's rate after those before it, and arrives by the "
            "latency later"
        )
    yield (
        "a device goes on to its next collective at once, as equation (9) has it; the same collectives were "
        "also run each alone, beside equation (7)"
    )
    yield (
        f"an aggregation includes filling buffers and emptying them, while {len(job.present)} processes "
        f"share {os.cpu_count()} cores; a collective alone does not"
    )
    if isinstance(job.problem.instance.network, Network):
        yield "equation (7) takes the slowest pair of a collective; here each message has its own pair's link"


def _on_steps(job: Job) -> Iterator[str]:
    if job.settings.emulation == KERNEL:
        yield (
            "while it trained, a device had a quota of the processor with which the largest update on offer "
            "takes as long as equation (2) says; a round is the slowest device's steps and the aggregation"
        )
    else:
        yield (
            "seconds of a step are processor time here, stretched by one factor a device: what the largest "
            "update on offer takes by equation (2) over what it takes here; a round is put together from the "
            "slowest device's steps and the measured aggregation"
        )
    yield (
        "the peak is that of live tensors in a step, buffers of an aggregation left out, beside what the "
        "layers' figures resolved over the step predict; needed is what equation (1) adds up; eager is the "
        "network as it is, in evaluation mode, with the same biases and the whole weights of the same layers "
        "trained"
    )


def _on_training(job: Job, rounds: Sequence[JsonObject]) -> Iterator[str]:
    if job.workload.settings.momentum:
        yield "momentum stays with its device: parameters alone are averaged"
    if not job.same_start:
        yield (
            "the instance was made from another start than this machine's, whose channels may be of other "
            "importance"
        )
    if job.settings.baseline != NONE and len(job.phases) == 1:
        yield f"no {DENSE} baseline: the instance does not offer every layer whole on every device"
    yield from _on_dense_memory(job)
    diverged = [entry["round"] for entry in rounds if entry["train_loss"] is None]
    if diverged:
        yield f"training diverged: from round {diverged[0]} of the {PLAN} on the loss is no number"


def _on_dense_memory(job: Job) -> Iterator[str]:
    devices = job.instance.devices
    for phase in job.phases:
        costs = zip(phase.cost.device_costs, devices, strict=True)
        too_small = sum(cost.memory_bytes > device.memory_bytes for cost, device in costs)
        if phase.name == DENSE and too_small:
            yield (
                f"the {DENSE} baseline is predicted to take more memory than {too_small} of {len(devices)} "
                "devices have; here it runs all the same"
            )
