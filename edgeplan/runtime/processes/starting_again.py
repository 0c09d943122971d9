"""A run whose processes start again, as often as some of them are lost, until there is a report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from edgeplan.runtime.processes.records import read_json, report_path
from edgeplan.runtime.processes.supervision import NodesLostError


class InFolder(Protocol):
    """A job that has a folder."""

    @property
    def folder(self) -> Path:
        """Where the files of the run are."""


JobT = TypeVar("JobT", bound=InFolder)


def started_again(
    job: JobT,
    start: Callable[[JobT], dict[str, Any]],
    without: Callable[[JobT, NodesLostError], JobT],
) -> dict[str, Any]:
    """Run a prepared job to its report, whoever is lost on the way.

    Parameters
    ----------
    job
        The run.
    start
        Starts the processes of a job, and returns the report.
    without
        Returns the job that goes on without those that were lost, or raises.

    Raises
    ------
    RunError
        When a process failed by itself, or the run cannot go on.
    """
    while True:
        try:
            return start(job)
        except NodesLostError as error:
            if report_path(job.folder).is_file():  # the loss came after the end
                report: dict[str, Any] = read_json(report_path(job.folder))
                return report
            job = without(job, error)
