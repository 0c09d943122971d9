"""Run a plan of the serial schedule (Snake): a process a node, real parameters, real training.

`run` prepares the job (validation, data, shards), starts the processes, and returns the report that sets the
plan's predictions beside what was measured. `prepare` alone writes the job for torchrun::

    torchrun --nproc-per-node N -m edgeplan.runtime.snake.worker OUT/job.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeplan.extras import require
from edgeplan.models.layer_assignment import LayerAssignment, Plan

require("torch", purpose="edgeplan run")

from edgeplan.runtime.emulation.modes import placed  # noqa: E402
from edgeplan.runtime.processes.supervision import Progress as Progress  # noqa: E402
from edgeplan.runtime.processes.supervision import supervise as supervise  # noqa: E402
from edgeplan.runtime.snake.job import Job as Job  # noqa: E402
from edgeplan.runtime.snake.job import prepare as prepare  # noqa: E402
from edgeplan.runtime.snake.report.table import render as render  # noqa: E402
from edgeplan.runtime.snake.settings import RunSettings as RunSettings  # noqa: E402
from edgeplan.runtime.snake.slowing import slowed  # noqa: E402


def run(
    problem: LayerAssignment,
    plan: Plan,
    settings: RunSettings,
    *,
    out: Path,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Run a plan and compare it with its prediction.

    Parameters
    ----------
    problem
        An instance with schedule serial whose model section describes the network.
    plan
        A plan without violations.
    settings
        Network, data, rounds, shaping.
    out
        Folder for the job, the shards, the processes' logs, the trained parameters (``parameters.npy``), the
        report (``run.json``) and a trace of plan and measurement (``trace.json``) for Perfetto.
    on_progress
        Called after each scored round.

    Returns
    -------
    dict[str, Any]
        The report; ``passed`` is false when bytes differ from the prediction or a frozen parameter changed.

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
