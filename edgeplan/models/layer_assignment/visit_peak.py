"""Equation (12): the peak of memory that a serial visit is predicted to reach, which limits nothing.

It is (4) resolved over time, with what (4) has no place for. Below are its departures from (4), and what
the figures of a profile do not tell, so that it is reckoned from what is near:

- A layer before d saves nothing; while it runs it has at hand what it would save, or what it reads, and its
  output. The true figure is that of its largest inner tensors.
- Two layers that save one storage count it twice in ``saved_bytes``; who has the network can tell how much
  that is (`repeated_bytes`).
- A layer that runs backward has the gradient of its output, and another as large as that or what it reads.
- The loss is a cross entropy: it has the scores, their logarithms and a gradient of them.
- Steps that take their samples one by one have a batch of one at hand, and of each trained parameter a sum.
- An optimizer goes layer by layer through its update; in truth it goes tensor by tensor.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

from edgeplan.models.layer_assignment.serial_figures import SerialFigures
from edgeplan.models.model import Layer
from edgeplan.models.step_memory import LayerMemory, StepPeak, step_peak

SCORES_AT_THE_LOSS = 3


def visit_peak(
    figures: SerialFigures,
    trained: Collection[int],
    *,
    batch_bytes: int = 0,
    repeated_bytes: Sequence[int] | None = None,
    update_bytes_per_parameter: float = 0.0,
    sum_bytes_per_parameter: float = 0.0,
) -> StepPeak:
    """Return the peak of a step that trains these layers, without the reserve of (4).

    Parameters
    ----------
    figures
        The instance's equations; its schedule is serial.
    trained
        Indices of T; all of them for federated averaging.
    batch_bytes
        Inputs and labels of a batch.
    repeated_bytes
        By layer, what it saves of a batch that an earlier layer saves too, or that is the batch itself; None
        counts all that (4) counts.
    update_bytes_per_parameter
        What is at hand while a layer is updated, such as 8 for the two temporaries of an Adam in 32 bits
        that is not fused, or the noise of a private step.
    sum_bytes_per_parameter
        Kept of each trained parameter all along the step, beside what (4) counts; 0 where gradients of
        samples are not added up one by one.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> problem = two_layers_two_nodes()
    >>> visit_peak(problem.serial, [0, 1]).moment
    'backward'
    >>> visit_peak(problem.serial, [0, 1]).num_bytes <= problem.serial.memory_bytes([0, 1])
    True
    """  # (12)
    layers = figures.instance.model.layers
    last = figures.instance.training.batch_size * layers[-1].output_bytes
    largest = max((layers[index].parameters for index in trained), default=0)
    sums = math.ceil(sum_bytes_per_parameter * figures.parameters(trained))
    return step_peak(
        list(_layers(figures, set(trained), repeated_bytes or [0] * len(layers))),
        held_bytes=batch_bytes + sums + _held_bytes(figures, trained),
        loss_bytes=SCORES_AT_THE_LOSS * last,
        update_bytes=math.ceil(update_bytes_per_parameter * largest),
    )


def _held_bytes(figures: SerialFigures, trained: Collection[int]) -> int:
    """Parameters, and the optimizer's state of those that are trained."""
    frozen = set(range(len(figures.instance.model.layers))) - set(trained)
    state_bytes = figures.trained_weight_bytes - figures.gradient_bytes
    return math.ceil(
        figures.frozen_weight_bytes * figures.parameters(frozen) + state_bytes * figures.parameters(trained)
    )


def _layers(figures: SerialFigures, trained: set[int], repeated: Sequence[int]) -> Iterator[LayerMemory]:
    layers, batch_size = figures.instance.model.layers, figures.instance.training.batch_size
    first = min(trained, default=len(layers))
    for index, (layer, read) in enumerate(zip(layers, _read_bytes(layers), strict=True)):
        output = batch_size * layer.output_bytes
        if index < first:
            at_hand = batch_size * max(layer.saved_frozen_bytes, read)
            yield LayerMemory(forward_bytes=at_hand + output)
            continue
        saved = layer.saved_bytes if index in trained else layer.saved_frozen_bytes
        passed_on = batch_size * read if index > first else 0
        yield LayerMemory(
            saved_bytes=max(0, batch_size * saved - repeated[index]),
            gradient_bytes=math.ceil(figures.gradient_bytes * layer.parameters) if index in trained else 0,
            forward_bytes=output,
            backward_bytes=output + max(output, passed_on),
        )


def _read_bytes(layers: Sequence[Layer]) -> Iterator[int]:
    """Largest output that each layer reads, per sample; the model's input has no figure."""
    output_bytes = {layer.name: layer.output_bytes for layer in layers}
    before = 0
    for layer in layers:
        yield (
            before
            if layer.inputs is None
            else max((output_bytes.get(name, 0) for name in layer.inputs), default=0)
        )
        before = layer.output_bytes
