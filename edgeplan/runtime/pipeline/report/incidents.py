"""What befell participants of a run, in words."""

from __future__ import annotations

from edgeplan.runtime.pipeline.job import Job


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
