"""What a reader of the figures must know: where the run is not quite what the instance says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgeplan.runtime.emulation.modes import KERNEL, NONE
from edgeplan.runtime.learning.calibration import slowdown_of
from edgeplan.runtime.processes.stopwatch import Spent
from edgeplan.runtime.report.emulated import HELD, STEADIED
from edgeplan.runtime.report.privacy import notes_on_privacy
from edgeplan.runtime.snake.job import Job
from edgeplan.runtime.snake.report.rounds import JsonObject

FLOAT32_BYTES = 4


def notes_on(
    job: Job,
    rounds: Sequence[JsonObject],
    stages: Sequence[JsonObject],
    full_step: Spent,
    buffers: Sequence[str],
) -> list[str]:
    """Return the notes, one sentence each."""
    return [
        *_on_emulation(job, rounds, full_step),
        *_on_memory(job),
        *_on_too_little_memory(job, stages),
        *_on_bytes(job, buffers),
        *_on_samples(job),
        *_on_teachers(job),
        *_on_learning(rounds),
        *notes_on_privacy(job.settings.privacy),
    ]


def _on_emulation(job: Job, rounds: Sequence[JsonObject], full_step: Spent) -> Iterator[str]:
    if job.settings.emulation == NONE:
        yield "links, speeds and windows were not imposed: measured times are this machine's own"
        return
    if job.settings.emulation == KERNEL:
        yield HELD
        yield STEADIED
    else:
        yield (
            "links, speeds and windows were imposed by waiting inside the processes; a visit is "
            "stretched by one calibrated factor, so its time still tests equation (5)"
        )
    for visit in job.visits:
        slowdown = job.slower * slowdown_of(job.problem, visit.node, full_step.wall_s)
        if 0.0 < slowdown < 1.0:
            yield (
                f"{visit.node} is {1 / slowdown:.3g} times as fast as this machine and could not be "
                "imitated: its compute times are this machine's"
            )
    missed = sum(visit["window_missed"] for entry in rounds for visit in entry["timeline"])
    if missed:
        yield f"{missed} visits found no window left that fits them and computed at once"


def _on_memory(job: Job) -> Iterator[str]:
    yield (
        "memory is the peak of live tensors in a step, beside equation (12); the limit, equation (4), adds "
        "up what does not live at once"
    )
    training = job.problem.instance.training
    if training.reserve_bytes:
        yield f"the limit has {training.reserve_bytes} reserved bytes, which no step takes"
    if training.frozen_weight_bytes not in (None, FLOAT32_BYTES):
        yield (
            f"the plan counts {training.frozen_weight_bytes:g} bytes for a frozen weight; here it stays "
            "float32, so more memory is measured"
        )
    if training.gradient_bytes != FLOAT32_BYTES:
        yield f"the plan counts {training.gradient_bytes:g} bytes for a gradient; here it is float32"


def _on_too_little_memory(job: Job, stages: Sequence[JsonObject]) -> Iterator[str]:
    network = job.problem.instance.network
    for stage in stages:
        measured = stage["measured"]["memory_bytes"]
        there = network.nodes[network.index_of[stage["node"]]].memory_bytes
        if measured > there:
            yield f"{stage['node']} would need {measured} bytes for its visits and has {there}"


def _on_bytes(job: Job, buffers: Sequence[str]) -> Iterator[str]:
    yield "a header of 32 bytes (clock and moment of sending) precedes every transfer and is not counted"
    if buffers:
        yield (
            f"{len(buffers)} buffers such as {buffers[0]} are no parameters: they stay on their node and do "
            "not travel"
        )
    if job.settings.baseline == "fedavg" and job.server_rank is None:
        yield (
            f"in federated averaging {job.node_of(0)} played the server; its own parameters are counted as "
            "if the server were apart"
        )


def _on_samples(job: Job) -> Iterator[str]:
    if any(node.num_samples for node in job.problem.instance.network.nodes):
        yield (
            "samples and label counts of the instance were not imposed: shards come from the Dirichlet split"
        )


def _on_teachers(job: Job) -> Iterator[str]:
    distilling = [visit.node for visit in job.visits if job.distils(job.seat_of(visit.node))]
    if not job.settings.distill:
        return
    if not distilling:
        above = job.settings.distill_above
        yield f"no node's labels are farther than {above:g} from those of all: none distils"
        return
    yield (
        f"{', '.join(distilling)} distil: a copy of what is trained and one more pass forward of the whole "
        "network a step come on top of the predicted memory and compute time; plan them with reserve_bytes"
    )


def _on_learning(rounds: Sequence[JsonObject]) -> Iterator[str]:
    diverged = [entry["round"] for entry in rounds if entry["loss"] is None]
    if diverged:
        yield f"training diverged: from round {diverged[0]} on the loss is no number; lower the learning rate"
