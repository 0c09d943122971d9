"""Run a plan of sparse_update: a process a device, real training, real collectives.

Every device prunes the common start to its own plan. A round is some steps of SGD on its own images, and the
collectives of the plan in their one order: what several devices trained is averaged among them and told to
the others, so that all replicas hold the same parameters again. This is checked, to the bit, after every
round. Momentum stays with its device. Devices that die, hang or lose their link are left out from then on,
and the others go on from the last round that all of them have kept.

The collectives are made of messages between two devices that take as long as on the instance's network
(`edgeplan.runtime.sparse.execution.exchange`), or are torch.distributed's own. After the run the devices
train everything from the same start on the same images, averaged by one all-reduce: dense data parallelism.

`run` prepares the job (validation, start), starts the processes, and returns the report that sets the
plan's predictions beside what was measured. `prepare` alone writes the job for torchrun::

    torchrun --nproc-per-node N -m edgeplan.runtime.sparse.execution.worker OUT/job.json
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.runtime.processes.locking import alone_in
from edgeplan.runtime.processes.records import unfinished_job
from edgeplan.runtime.processes.starting_again import Tell as Tell
from edgeplan.runtime.processes.supervision import Progress as Progress
from edgeplan.runtime.processes.supervision import supervise as supervise
from edgeplan.runtime.sparse.execution.job import Job as Job
from edgeplan.runtime.sparse.execution.job import prepare as prepare
from edgeplan.runtime.sparse.execution.recovery import carry_through as carry_through
from edgeplan.runtime.sparse.execution.report.table import render as render
from edgeplan.runtime.sparse.execution.settings import RunSettings as RunSettings
from edgeplan.runtime.sparse.execution.slowing import slowed


def run(
    problem: SparseUpdate,
    plan: SparsePlan,
    notes: Mapping[str, Any],
    settings: RunSettings,
    *,
    out: Path,
    on_progress: Progress | None = None,
    on_incident: Tell | None = None,
) -> dict[str, Any]:
    """Run a plan and compare it with its prediction.

    Parameters
    ----------
    problem
        An instance that was made from a workload.
    plan
        A plan without violations.
    notes
        The instance as plain JSON with its notes, which say what is trained; reading a problem drops them.
    settings
        Rounds, steps, way of the collectives.
    out
        Folder for the job, the processes' logs, the trained parameters (``parameters.pt``), the report
        (``run.json``) and a trace of plan and measurement (``trace.json``) for Perfetto.
    on_progress
        Called after each scored round.
    on_incident
        Called with what befell devices and how the run goes on, in words.

    Returns
    -------
    dict[str, Any]
        The report; ``passed`` is false when bytes or collectives differ from the prediction, or a step took
        more memory than its device has. Devices that were lost are listed under ``lost``.

    Raises
    ------
    UsageError
        When the instance does not say what is trained, or the plan cannot be run.
    RunError
        When a process failed, replicas came to differ, or no device is left.
    """
    job = slowed(prepare(problem, plan, notes, settings, out=out))
    with alone_in(out):
        return carry_through(job, on_progress, on_incident)


def resume(
    out: Path, *, on_progress: Progress | None = None, on_incident: Tell | None = None
) -> dict[str, Any]:
    """Go on with a run that was ended, after the newest round that all its devices have kept.

    Parameters
    ----------
    out
        Folder of the run.
    on_progress, on_incident
        As for `run`.

    Raises
    ------
    UsageError
        When the folder holds no run, or one that has come to its end.
    RunError
        When a process failed, replicas came to differ, or no device is left.
    """
    job = Job.read(unfinished_job(out, "course"))
    with alone_in(out):
        return carry_through(job, on_progress, on_incident)
