"""What befell devices of a run, in words and as plain JSON values."""

from __future__ import annotations

from edgeplan.runtime.sparse.execution.course import Position
from edgeplan.runtime.sparse.execution.job import Job
from edgeplan.runtime.sparse.execution.report.phase_figures import JsonObject


def incident_line(job: Job, leg: int) -> str:
    """Say who was lost before a leg, and how the run goes on.

    Parameters
    ----------
    job
        The run.
    leg
        Index of the leg.
    """
    lost = ", ".join(f"{one.node} {one.how} ({one.doing})" for one in job.legs[leg].lost)
    num = len(job.in_leg(leg).present)
    return f"{lost}; on {place_of(job, leg)} by {num} device{'s' if num > 1 else ''}"


def place_of(job: Job, leg: int) -> str:
    """Say where a leg begins."""
    following = _following(job, leg)
    if following.phase == len(job.phases):
        return "after the last round"
    return f"from round {following.round} of {job.phases[following.phase].name}"


def losses(job: Job) -> list[JsonObject]:
    """Return who was lost, in which round, and how; no round where it was after the last one."""
    return [
        {
            "node": one.node,
            "phase": job.phases[following.phase].name if following.phase < len(job.phases) else None,
            "round": following.round if following.phase < len(job.phases) else None,
            "reason": one.how,
            "doing": one.doing,
        }
        for index, leg in enumerate(job.legs)
        for following in [_following(job, index)]
        for one in leg.lost
    ]


def _following(job: Job, leg: int) -> Position:
    return job.legs[leg].since.after(job.settings.rounds)
