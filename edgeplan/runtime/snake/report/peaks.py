"""The peak of memory that a visit is predicted to reach, equation (12), beside its limit (4)."""

from __future__ import annotations

from edgeplan.models.layer_assignment.visit_peak import visit_peak
from edgeplan.runtime.snake.device.workload import UPDATE_BYTES
from edgeplan.runtime.snake.itinerary import PlannedVisit
from edgeplan.runtime.snake.job import Job
from edgeplan.runtime.snake.records import Event
from edgeplan.runtime.snake.report.rounds import JsonObject


def predicted_peak(job: Job, visit: PlannedVisit, memory: Event) -> JsonObject:
    """Return the predicted peak and where in a step it is.

    Parameters
    ----------
    job
        The run.
    visit
        One of its visits.
    memory
        What the node told of its batch, and of storages that two layers save.
    """
    instance = job.problem.instance
    names = [layer.name for layer in instance.model.layers]
    peak = visit_peak(
        job.problem.serial,
        [names.index(name) for name in visit.trained],
        batch_bytes=memory["batch_bytes"],
        repeated_bytes=memory["repeated_bytes"],
        update_bytes_per_parameter=UPDATE_BYTES[int(instance.training.optimizer_bytes)],
    )
    layer = None if peak.layer is None else names[peak.layer]
    return {"peak_bytes": peak.num_bytes, "peak_moment": peak.moment, "peak_layer": layer}
