"""A run that was ended, or lost its server, goes on after the last round that the server has kept.

Losing clients ends no run: the server goes on without them. Those of whole rounds stay away; a round that was
under way is made anew.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from edgeplan.errors import RunError
from edgeplan.runtime.federated.job import LOST, Ending, Job, holds_after
from edgeplan.runtime.federated.report.restarts import restart_line
from edgeplan.runtime.learning.checkpoints import place_kept
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.records import failure_path, journal_path, unfinished_job
from edgeplan.runtime.processes.rehearsal import faults_left
from edgeplan.runtime.processes.starting_again import Tell, carried_through
from edgeplan.runtime.processes.supervision import NodesLostError, Progress


def carry_through(
    job: Job, on_progress: Progress | None = None, on_incident: Tell | None = None
) -> dict[str, Any]:
    """Run a prepared job to its report; where its server is lost, that is started again.

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
        When the server failed by itself or was lost twice before another round was made, or no client is
        left.
    """

    def incident_of(job: Job) -> str:
        return restart_line(job, job.endings[-1])

    return carried_through(job, started_again, incident_of, on_progress, on_incident)


def started_again(job: Job, error: NodesLostError) -> Job:
    """Return the job that goes on with its server as it was kept, written to its file.

    Raises
    ------
    RunError
        When the server was lost before, and has made no round since.
    """
    lost = error.named(job.names)
    server = next(one for one in lost if one.node == job.stated.server)
    rounds_made = _rounds_kept(job)
    if job.endings and job.endings[-1].how and job.rounds_made == rounds_made:
        raise RunError(f"{error}\nit was lost twice before another round was made; see to it first")
    settings = replace(job.settings, faults=faults_left(job.settings.faults, {one.node for one in lost}))
    return _after(replace(job, settings=settings), Ending(rounds_made, server.how, server.doing))


def resumed(folder: Path) -> Job:
    """Return the job of a run that has not come to its end, to go on after the last round that was kept.

    Raises
    ------
    UsageError
        When there is none in the folder.
    RunError
        When what the server has kept is damaged.
    """
    job = Job.read(unfinished_job(folder, "endings"))
    return _after(job, Ending(_rounds_kept(job)))


def _rounds_kept(job: Job) -> int:
    (rounds_made,) = place_kept(job.folder, job.server_rank) or (0,)
    return rounds_made


def _after(job: Job, ending: Ending) -> Job:
    """Return the job that goes on after an ending, written to its file."""
    for rank in range(len(job.names)):
        failure_path(job.folder, rank).unlink(missing_ok=True)
    seen = Journal(journal_path(job.folder, job.server_rank), holds_after(ending.rounds_made))
    away = {job.names[event["rank"]] for event in seen if event["event"] == LOST}
    job = replace(job, endings=(*job.endings, ending), away=tuple(sorted(away)))
    job.write()
    return job
