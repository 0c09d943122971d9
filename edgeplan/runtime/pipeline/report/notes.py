"""What a reader of the figures must know: where the run is not quite what the instance says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgeplan.runtime.emulation.modes import KERNEL, NONE
from edgeplan.runtime.pipeline.course import losses
from edgeplan.runtime.pipeline.job import Job
from edgeplan.runtime.pipeline.report.incidents import incident_line
from edgeplan.runtime.pipeline.report.slot_figures import JsonObject


def notes_on(job: Job, rounds: Sequence[JsonObject]) -> list[str]:
    """Return the notes, one sentence each."""
    return [
        *_on_losses(job),
        *_on_emulation(job),
        *_on_bytes(rounds),
        *_on_latency(job),
        *_on_training(job, rounds),
    ]


def _on_losses(job: Job) -> Iterator[str]:
    for leg in range(1, len(job.legs)):
        yield incident_line(job, leg)
    if any(one["round"] is not None for one in losses(job.legs, job.num_slots)):
        yield (
            "the slot in which someone was lost was made anew. Each slot is set beside "
            "the prediction of the plan that made it"
        )
    before, left = job.problem.instance, job.leg.problem.instance
    rest = {one.id for one in before.clusters} - {one.id for one in left.clusters}
    if rest:
        yield f"{', '.join(sorted(rest))} took no part any more: the others are averaged, by their samples"
    if left.control.noise_budget > before.control.noise_budget:
        yield (
            f"so few clusters cannot keep the budget of noise, {before.control.noise_budget:g}: slots were "
            f"planned with the least that they can, {left.control.noise_budget:g}"
        )


def _on_emulation(job: Job) -> Iterator[str]:
    if job.settings.emulation == NONE:
        yield "links and speeds were not imposed: measured times are this machine's own"
        return
    if job.settings.emulation == KERNEL:
        yield (
            "every participant was a network namespace, with links of the slot's rates, and a device was "
            "held to its speed by a quota of the processor while it computed"
        )
    else:
        yield (
            "links and speeds were imposed by waiting inside the processes; a pass is stretched by one "
            "calibrated factor, so its time still tests equation (1)"
        )
    yield "an activation and a gradient use the band of their hop one after the other, as equation (2) says"


def _on_bytes(rounds: Sequence[JsonObject]) -> Iterator[str]:
    uncounted = sum(entry["uncounted_bytes"] for entry in rounds)
    yield (
        f"{uncounted:,} bytes took no time of the instance's and are not among those predicted: embedded "
        "samples to the first device, blocks between control units and devices, the averaged encoder back"
    )
    yield "a stamp of 8 bytes before each message is not counted, nor what processes tell each other to begin"


def _on_latency(job: Job) -> Iterator[str]:
    yield (
        "equation (4) has the decoder after the pipeline, micro-batch after micro-batch; here it is the "
        "pipeline's last stage, and works while others do"
    )
    if job.problem.instance.training.in_flight == "1f1b":
        yield "a stage holds as many micro-batches as equation (6) says, more than PyTorch's own 1F1B"
    yield (
        "memory is the peak of live tensors in a stage's passes; buffers of messages, of which PyTorch's "
        "pipelining keeps one a micro-batch, are left out"
    )


def _on_training(job: Job, rounds: Sequence[JsonObject]) -> Iterator[str]:
    yield (
        "the embedding is the same in all clusters and is not trained; the decoder stays at the server, and "
        "is averaged there like the encoders, weighted by samples"
    )
    if job.problem.instance.training.optimizer_bytes:
        yield (
            "the optimizer's state stays on its device, and begins anew with a block that comes from another"
        )
    diverged = [entry["round"] for entry in rounds if entry["loss"] is None]
    if diverged:
        yield f"training diverged: from slot {diverged[0]} on the loss is no number; lower the learning rate"
