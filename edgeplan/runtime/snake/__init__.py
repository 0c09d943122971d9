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

from edgeplan.runtime.processes.locking import alone_in  # noqa: E402
from edgeplan.runtime.processes.records import unfinished_job  # noqa: E402
from edgeplan.runtime.processes.starting_again import Tell as Tell  # noqa: E402
from edgeplan.runtime.processes.supervision import Progress as Progress  # noqa: E402
from edgeplan.runtime.processes.supervision import supervise as supervise  # noqa: E402
from edgeplan.runtime.snake.job import Job as Job  # noqa: E402
from edgeplan.runtime.snake.job import prepare as prepare  # noqa: E402
from edgeplan.runtime.snake.recovery import Planner as Planner  # noqa: E402
from edgeplan.runtime.snake.recovery import carry_through as carry_through  # noqa: E402
from edgeplan.runtime.snake.report.table import render as render  # noqa: E402
from edgeplan.runtime.snake.settings import RunSettings as RunSettings  # noqa: E402
from edgeplan.runtime.snake.slowing import slowed  # noqa: E402


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
    planner
        Plans anew when a node was lost; None: the run ends then.
    on_progress
        Called after each scored round.
    on_incident
        Called with what befell a node and how the run goes on, in words.

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
    with alone_in(out):
        job = slowed(prepare(problem, plan, settings, out=out))
        return carry_through(job, planner, on_progress, on_incident)


def resume(
    out: Path,
    *,
    planner: Planner | None = None,
    on_progress: Progress | None = None,
    on_incident: Tell | None = None,
) -> dict[str, Any]:
    """Go on with a run that was ended, from what its nodes have kept.

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
        When a process failed.
    """
    job = Job.read(unfinished_job(out, "legs"))
    with alone_in(out):
        return carry_through(job, planner, on_progress, on_incident)
