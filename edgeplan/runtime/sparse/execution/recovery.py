"""A run carried through the loss of devices: the others go on from the last round that all of them have kept.

Those left keep their updates, and what a lost device gave counts in the rounds that it took part in. A round
that was under way is made anew, by the devices left.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edgeplan.errors import RunError
from edgeplan.runtime.learning.keeping import forget, newest_of_all, positions_kept
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.records import failure_path, journal_path
from edgeplan.runtime.processes.starting_again import Tell, carried_through
from edgeplan.runtime.processes.supervision import NodesLostError, Progress
from edgeplan.runtime.sparse.execution.course import BEGINNING, Leg, Position, holds_until
from edgeplan.runtime.sparse.execution.job import Job
from edgeplan.runtime.sparse.execution.report.incidents import incident_line


def carry_through(
    job: Job,
    on_progress: Progress | None = None,
    on_incident: Tell | None = None,
) -> dict[str, Any]:
    """Run a prepared job to its report, through what befalls its devices.

    Parameters
    ----------
    job
        The run.
    on_progress
        Called when a round was scored.
    on_incident
        Called with what happened and how it goes on, in words.

    Raises
    ------
    RunError
        When a process failed by itself, or no device is left.
    """

    def incident_of(job: Job) -> str:
        return incident_line(job, len(job.legs) - 1)

    return carried_through(job, without_lost, incident_of, on_progress, on_incident)


def without_lost(job: Job, error: NodesLostError) -> Job:
    """Return the job that goes on without what was lost, written to its file.

    Raises
    ------
    RunError
        When no device is left.
    """
    lost = error.named(job.present)
    if len(lost) == len(job.present):
        raise RunError(f"{error}\nno device is left") from error
    for rank in range(len(job.present)):
        failure_path(job.folder, rank).unlink(missing_ok=True)
    for one in lost:  # what it has kept is lost with it
        forget(job.folder, job.index_of(one.node))
    left = [job.index_of(name) for name in job.present if name not in {one.node for one in lost}]
    position = Position(*newest_of_all((positions_kept(job.folder, index) for index in left), BEGINNING))
    for one in lost:
        Journal(journal_path(job.folder, job.index_of(one.node)), holds_until(position, len(job.legs)))
    job = replace(job, legs=(*job.legs, Leg(position, lost)))
    job.write()
    return job
