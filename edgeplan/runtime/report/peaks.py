"""The peak of memory that a visit is predicted to reach, equation (12), beside its limit (4)."""

from __future__ import annotations

from collections.abc import Collection

from edgeplan.models.layer_assignment.serial_figures import SerialFigures
from edgeplan.models.layer_assignment.visit_peak import visit_peak
from edgeplan.runtime.learning.privacy.private_steps import NOISE_BYTES, SUM_BYTES
from edgeplan.runtime.processes.records import Event
from edgeplan.runtime.snake.report.rounds import JsonObject


def predicted_peak(
    figures: SerialFigures, trained: Collection[str], memory: Event, *, private: bool = False
) -> JsonObject:
    """Return the predicted peak and where in a step it is.

    Parameters
    ----------
    figures
        Of the instance, with the batch of the step.
    trained
        Layers that the step trains.
    memory
        What the node told of its batch, and of storages that two layers save.
    private
        Whether samples are taken one by one and their clipped gradients added up.
    """
    if private:
        figures = _of_one_sample(figures)
    names = [layer.name for layer in figures.instance.model.layers]
    peak = visit_peak(
        figures,
        [names.index(name) for name in trained],
        batch_bytes=memory["batch_bytes"],
        repeated_bytes=memory["repeated_bytes"],
        update_bytes_per_parameter=NOISE_BYTES if private else 0,
        sum_bytes_per_parameter=SUM_BYTES if private else 0,
    )
    layer = None if peak.layer is None else names[peak.layer]
    return {"peak_bytes": peak.num_bytes, "peak_moment": peak.moment, "peak_layer": layer}


def _of_one_sample(figures: SerialFigures) -> SerialFigures:
    training = figures.instance.training.model_copy(update={"batch_size": 1})
    return SerialFigures(figures.instance.model_copy(update={"training": training}))
