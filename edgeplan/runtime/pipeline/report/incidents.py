"""What befell participants of a run, in words and as plain JSON values."""

from __future__ import annotations

from edgeplan.runtime.pipeline.job import Job
from edgeplan.runtime.pipeline.report.slot_figures import JsonObject


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
    then = job.in_leg(leg)
    if not then.slots:
        return f"{lost}; on after the last slot"
    pipelines = (
        f"{cluster.name}: {' > '.join(stage.device for stage in cluster.stages)}"
        for cluster in then.slots[0].clusters
    )
    return f"{lost}; on from slot {then.slots[0].number} by {', '.join(pipelines)}"


def losses(job: Job) -> list[JsonObject]:
    """Return who was lost, in which slot, and how; no slot where it was after the last one."""
    return [
        {
            "node": one.node,
            "round": leg.since + 1 if leg.since < job.num_slots else None,
            "reason": one.how,
            "doing": one.doing,
        }
        for leg in job.legs
        for one in leg.lost
    ]
