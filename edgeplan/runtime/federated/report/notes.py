"""What a reader of the figures must know: where the run is not quite what the schedule says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgeplan.runtime.emulation.modes import KERNEL, NONE
from edgeplan.runtime.federated.job import Job
from edgeplan.runtime.federated.report.restarts import restart_line
from edgeplan.runtime.federated.report.rounds import JsonObject
from edgeplan.runtime.learning.calibration import slowdown_of
from edgeplan.runtime.report.emulated import HELD, STEADIED
from edgeplan.runtime.report.privacy import notes_on_privacy

FLOAT32_BYTES = 4
NOTED = 0.1  # of a step


def notes_on(
    job: Job,
    rounds: Sequence[JsonObject],
    lost: Sequence[JsonObject],
    buffers: Sequence[str],
    *,
    step_s: float | None,
    fixed_share: float | None,
) -> list[str]:
    """Return the notes, one sentence each.

    Parameters
    ----------
    job, rounds, lost
        The run, its rounds, and who was lost.
    buffers
        Names of the network's buffers.
    step_s
        Processor seconds of a step here; None where nobody could tell.
    fixed_share
        Share of it that is there with any batch.
    """
    return [
        *(restart_line(job, ending) for ending in job.endings),
        *_on_losses(lost, len(rounds)),
        *_on_emulation(job, rounds, step_s),
        *_on_small_batches(job, fixed_share),
        *_on_memory(job),
        *_on_bytes(buffers),
        *_on_samples(job),
        *_on_learning(rounds),
        *notes_on_privacy(job.settings.privacy),
    ]


def _on_losses(lost: Sequence[JsonObject], num_rounds: int) -> Iterator[str]:
    for one in lost:
        place = f"at {one['when']}" if one["round"] == 0 else f"in round {one['round']}, {one['when']}"
        if one["round"] > num_rounds:
            place = one["when"]
        told = _in_a_line(one["reason"])
        yield f"{one['node']} was lost {place} ({told}); averages are over the others from then on"


def _in_a_line(reason: str) -> str:
    """Leave out the log's last words but the last line; who was killed had none.

    Examples
    --------
    >>> _in_a_line("ended with exit code 1:\\nTraceback:\\nValueError: planted")
    'ended with exit code 1: ValueError: planted'
    >>> _in_a_line("was killed by signal 9:\\n[W1130] a warning")
    'was killed by signal 9'
    """
    first, *others = reason.splitlines()
    return f"{first} {others[-1]}" if others and "signal" not in first else first.rstrip(":")


def _on_emulation(job: Job, rounds: Sequence[JsonObject], step_s: float | None) -> Iterator[str]:
    if job.settings.emulation == NONE:
        yield "links, speeds and windows were not imposed: measured times are this machine's own"
        return
    if job.settings.emulation == KERNEL:
        yield HELD
        yield STEADIED
    else:
        yield (
            "links, speeds and windows were imposed by waiting inside the processes, with the server's link "
            "shared as equation (2) says; local steps are stretched by one calibrated factor a client"
        )
    for name in job.stated.clients if step_s else ():
        assert step_s is not None
        slowdown = job.slower * slowdown_of(job.problem, name, step_s)
        if 0.0 < slowdown < 1.0:
            yield (
                f"{name} is {1 / slowdown:.3g} times as fast as this machine and could not be imitated: its "
                "compute times are this machine's"
            )
    missed = sum(client["window_missed"] for entry in rounds for client in entry["clients"])
    if missed:
        yield f"{missed} times a client found no window left that fits its work, and computed at once"


def _on_small_batches(job: Job, measured: float | None) -> Iterator[str]:
    stated, usual = job.stated, job.problem.instance.training.batch_size
    sizes = {stated.batch_size(client) for entry in stated.schedule.rounds for client in entry.clients}
    if measured is not None and sizes != {usual} and abs(measured - stated.schedule.fixed_share) > NOTED:
        yield (
            f"{measured:.2f} of a step's time stays here whatever its batch, the schedule's fixed_share says "
            f"{stated.schedule.fixed_share:g}: batches of other than {usual} samples take other times than "
            "predicted"
        )


def _on_memory(job: Job) -> Iterator[str]:
    training = job.problem.instance.training
    if training.reserve_bytes:
        yield f"predicted memory has {training.reserve_bytes} reserved bytes, which are not measured"
    if training.gradient_bytes != FLOAT32_BYTES:
        yield f"the instance counts {training.gradient_bytes:g} bytes for a gradient; here it is float32"


def _on_bytes(buffers: Sequence[str]) -> Iterator[str]:
    yield "a header of 48 bytes (moments and loss) precedes all parameters and is not counted"
    if buffers:
        yield (
            f"{len(buffers)} buffers such as {buffers[0]} are no parameters: they stay on their node, and "
            "the server scores with those of the start"
        )


def _on_samples(job: Job) -> Iterator[str]:
    if any(node.num_samples for node in job.problem.instance.network.nodes):
        yield (
            "samples and label counts of the instance were not imposed: shards come from the Dirichlet split"
        )


def _on_learning(rounds: Sequence[JsonObject]) -> Iterator[str]:
    diverged = [entry["round"] for entry in rounds if entry["loss"] is None]
    if diverged:
        yield f"training diverged: from round {diverged[0]} on the loss is no number; lower the learning rate"
