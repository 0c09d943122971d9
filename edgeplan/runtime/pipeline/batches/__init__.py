"""Run a plan of layer_assignment with schedule pipeline: stages of nodes, batch after batch.

A process stands for every node of the plan and trains its layers; the first stage has the images, the last
one their labels. Order and messages are those of `edgeplan.runtime.pipeline`, links those of the instance's
network. When a node dies, hangs or loses its link, the batches that are left are planned anew for the others,
who go on to the same parameters. `prepare` alone writes the job for torchrun::

    torchrun --nproc-per-node N -m edgeplan.runtime.pipeline.batches.worker OUT/job.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.runtime.pipeline.batches.job import BatchJob as BatchJob
from edgeplan.runtime.pipeline.batches.job import prepare as prepare
from edgeplan.runtime.pipeline.batches.job import slowed
from edgeplan.runtime.pipeline.batches.recovery import Planner as Planner
from edgeplan.runtime.pipeline.batches.recovery import carry_through as carry_through
from edgeplan.runtime.pipeline.batches.table import render as render
from edgeplan.runtime.processes.locking import alone_in
from edgeplan.runtime.processes.records import unfinished_job
from edgeplan.runtime.processes.starting_again import Tell as Tell
from edgeplan.runtime.processes.supervision import Progress as Progress
from edgeplan.runtime.processes.supervision import supervise as supervise
from edgeplan.runtime.snake.settings import RunSettings as RunSettings


def run(
    problem: LayerAssignment,
    plan: Plan,
    settings: RunSettings,
    *,
    out: Path,
    planner: Planner | None = None,
    on_progress: Progress | None = None,
    on_incident: Tell | None = None,
) -> dict[str, Any]:
    """Run batches of a plan and compare them with their prediction.

    Parameters
    ----------
    problem
        An instance with schedule pipeline whose model section describes a chain.
    plan
        A plan without violations.
    settings
        Network, data, batches (``rounds``), shaping; no baseline.
    out
        Folder for the job, the images, the processes' logs, the trained parameters (``parameters.npy``), the
        report (``run.json``) and a trace of plan and measurement (``trace.json``) for Perfetto.
    planner
        Plans the rest for the nodes left, when a node was lost; None: the run ends then.
    on_progress
        Called after each batch's score.
    on_incident
        Called with what befell nodes and how the run goes on, in words.

    Returns
    -------
    dict[str, Any]
        The report; ``passed`` is false when bytes differ from the prediction.

    Raises
    ------
    UsageError
        When the plan cannot be run on this instance, network and data.
    RunError
        When a process failed, or the nodes left cannot go on.
    """
    job = slowed(prepare(problem, plan, settings, out=out))
    with alone_in(out):
        return carry_through(job, planner, on_progress, on_incident)


def resume(
    out: Path,
    *,
    planner: Planner | None = None,
    on_progress: Progress | None = None,
    on_incident: Tell | None = None,
) -> dict[str, Any]:
    """Go on with a run that was ended, after the newest batch of which a node has kept all layers.

    Parameters
    ----------
    out
        Folder of the run.
    planner, on_progress, on_incident
        As for `run`.

    Raises
    ------
    UsageError
        When the folder holds no run, or one that has come to its end.
    RunError
        When a process failed, or the nodes left cannot go on.
    """
    job = BatchJob.read(unfinished_job(out, "batches_by"))
    with alone_in(out):
        return carry_through(job, planner, on_progress, on_incident)
