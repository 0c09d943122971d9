"""The processes of a prepared job: one a stage, and one for the server."""

from __future__ import annotations

from typing import Any

from edgeplan.runtime.processes import supervision
from edgeplan.runtime.snake.job import Job

Progress = supervision.Progress
PROGRAM = "edgeplan.runtime.snake.worker"


def supervise(job: Job, on_progress: Progress | None = None) -> dict[str, Any]:
    """Run a prepared job to its report.

    Parameters
    ----------
    job
        What `prepare` returned.
    on_progress
        Called with ``phase``, ``round``, ``rounds``, ``loss`` and ``accuracy`` when a round was scored.

    Raises
    ------
    RunError
        When a process failed; the others are ended first.
    """
    names = tuple(f"node {job.node_of(rank)}" for rank in range(job.world_size))
    crew = supervision.Crew(PROGRAM, job.path, names, job.settings.threads)
    return supervision.supervise(crew, on_progress)
