"""What a process does, said to the supervisor; where a fault was asked for, it strikes."""

from __future__ import annotations

from dataclasses import dataclass

from edgeplan.runtime.federated.job import Job
from edgeplan.runtime.processes.heartbeat import START_UP, Heart
from edgeplan.runtime.processes.rehearsal import strike_if_asked


@dataclass(frozen=True)
class Presence:
    """A process among the others.

    Parameters
    ----------
    job, rank
        The run, and which process this is.
    heart
        Tells the supervisor that it is there.
    """

    job: Job
    rank: int
    heart: Heart

    @classmethod
    def of(cls, job: Job, rank: int) -> Presence:
        """Begin with the start-up."""
        presence = cls(job, rank, Heart(rank))
        presence._strike(1, START_UP)
        return presence

    def begins(self, phase: str, number: int) -> None:
        """Begin a phase of a round, counted from 1."""
        self.heart.does(f"{phase}, round {number}")
        self._strike(number, phase)

    def _strike(self, number: int, phase: str) -> None:
        strike_if_asked(self.job.settings.faults, self.job.names[self.rank], number, phase)
