"""A run whose processes start again, as often as some of them are lost, until there is a report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from edgeplan.runtime.emulation.links import Links
from edgeplan.runtime.emulation.modes import placed
from edgeplan.runtime.processes.records import read_json, report_path
from edgeplan.runtime.processes.supervision import Crew, NodesLostError, Progress, supervise

Tell = Callable[[str], None]


class Startable(Protocol):
    """A job whose processes can be started."""

    @property
    def folder(self) -> Path:
        """Where the files of the run are."""

    @property
    def settings(self) -> Any:
        """How it is run; its ``emulation`` says how nodes are imitated."""

    @property
    def crew(self) -> Crew:
        """The processes."""

    @property
    def links(self) -> Links:
        """What joins them."""

    @property
    def slower(self) -> float:
        """Seconds here for a second of the instance."""


JobT = TypeVar("JobT", bound=Startable)


def start(job: Startable, on_progress: Progress | None) -> dict[str, Any]:
    """Start the processes of a prepared job where its settings say, and return the report.

    Raises
    ------
    NodesLostError
        When some of them were lost.
    RunError
        When a process failed by itself.
    """
    with placed(job.settings.emulation, job.links.slower(job.slower), job.folder) as place:
        return supervise(job.crew, on_progress, place)


def carried_through(
    job: JobT,
    without: Callable[[JobT, NodesLostError], JobT] | None,
    incident_of: Callable[[JobT], str],
    on_progress: Progress | None = None,
    on_incident: Tell | None = None,
) -> dict[str, Any]:
    """Run a prepared job to its report, whoever is lost on the way.

    Parameters
    ----------
    job
        The run.
    without
        Returns the job that goes on without those that were lost, or raises; None: the run ends then.
    incident_of
        Says of that job who was lost, and how it goes on.
    on_progress
        Called with each score.
    on_incident
        Called with what happened and how it goes on, in words.

    Raises
    ------
    RunError
        When a process failed by itself, or the run cannot go on.
    """
    while True:
        try:
            return start(job, on_progress)
        except NodesLostError as error:
            if report_path(job.folder).is_file():  # the loss came after the end
                report: dict[str, Any] = read_json(report_path(job.folder))
                return report
            if without is None:
                raise
            job = without(job, error)
            if on_incident is not None:
                on_incident(incident_of(job))
