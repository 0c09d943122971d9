"""Run a plan of layer_assignment with schedule pipeline: stages of nodes, batch after batch.

A process stands for every node of the plan and trains its layers; the first stage has the images, the last
one their labels. Order and messages are those of `edgeplan.runtime.pipeline`, links those of the instance's
network. `prepare` alone writes the job for torchrun::

    torchrun --nproc-per-node N -m edgeplan.runtime.pipeline.batches.worker OUT/job.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.runtime.emulation.modes import placed
from edgeplan.runtime.pipeline.batches.job import BatchJob as BatchJob
from edgeplan.runtime.pipeline.batches.job import prepare as prepare
from edgeplan.runtime.pipeline.batches.job import slowed
from edgeplan.runtime.pipeline.batches.table import render as render
from edgeplan.runtime.processes.supervision import Progress as Progress
from edgeplan.runtime.processes.supervision import supervise as supervise
from edgeplan.runtime.snake.settings import RunSettings as RunSettings


def run(
    problem: LayerAssignment,
    plan: Plan,
    settings: RunSettings,
    *,
    out: Path,
    on_progress: Progress | None = None,
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
    on_progress
        Called after each batch's score.

    Returns
    -------
    dict[str, Any]
        The report; ``passed`` is false when bytes differ from the prediction.

    Raises
    ------
    UsageError
        When the plan cannot be run on this instance, network and data.
    RunError
        When a process failed.
    """
    job = slowed(prepare(problem, plan, settings, out=out))
    with placed(job.settings.emulation, job.links.slower(job.slower), job.folder) as place:
        return supervise(job.crew, on_progress, place)
