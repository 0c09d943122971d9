"""The peak of memory over one training step, from figures of its layers.

Limits such as equation (4) of layer_assignment add up what a step ever holds, so that no schedule of it can
need more. What lives at once is less: when forward ends nothing has a gradient, and when the last gradient
comes most of what was saved is gone. With h held all along, s what a layer keeps for its backward pass, g the
gradient of its parameters, and u, v what it takes while it runs forward or backward and then gives back:

- forward of layer l: ``h + s_1 + ... + s_l + u_l``
- loss: ``h + s_1 + ... + s_L + loss``
- backward of layer l: ``h + s_1 + ... + s_l + g_l + ... + g_L + v_l``
- update: ``h + g_1 + ... + g_L + update``

and the peak is the largest of them. A step on one of several micro-batches in flight holds what the others
saved, and gradients that are already there, all along: they belong to h.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

Moment = Literal["forward", "loss", "backward", "update"]


@dataclass(frozen=True)
class LayerMemory:
    """Bytes of one layer, for the whole batch."""

    saved_bytes: int = 0
    """Kept until its backward pass, without what an earlier layer keeps already."""
    gradient_bytes: int = 0
    """Gradient of its parameters, kept until the update."""
    forward_bytes: int = 0
    """Beside what it keeps, while it runs forward."""
    backward_bytes: int = 0
    """While it runs backward: gradients of activations."""


@dataclass(frozen=True)
class StepPeak:
    """The most that lives at once, and when."""

    num_bytes: int
    moment: Moment
    layer: int | None = None
    """Index of the layer that runs; None at the loss and the update."""


def step_peak(
    layers: Sequence[LayerMemory], *, held_bytes: int, loss_bytes: int = 0, update_bytes: int = 0
) -> StepPeak:
    """Return the peak of a step, the earliest of equals.

    Parameters
    ----------
    layers
        In the order in which they run forward.
    held_bytes
        There all along: parameters, state of the optimizer, the batch.
    loss_bytes, update_bytes
        What the loss and the optimizer take while they run.

    Examples
    --------
    >>> layers = [LayerMemory(100, 10, backward_bytes=50), LayerMemory(20, 70, backward_bytes=20)]
    >>> step_peak(layers, held_bytes=1000)
    StepPeak(num_bytes=1230, moment='backward', layer=0)
    """
    return max(_moments(layers, held_bytes, loss_bytes, update_bytes), key=lambda peak: peak.num_bytes)


def _moments(
    layers: Sequence[LayerMemory], held_bytes: int, loss_bytes: int, update_bytes: int
) -> Iterator[StepPeak]:
    saved = list(accumulate((layer.saved_bytes for layer in layers), initial=held_bytes))
    for index, layer in enumerate(layers):
        yield StepPeak(saved[index + 1] + layer.forward_bytes, "forward", index)
    yield StepPeak(saved[-1] + loss_bytes, "loss")
    gradients = 0
    for index, layer in reversed(list(enumerate(layers))):
        gradients += layer.gradient_bytes
        yield StepPeak(saved[index + 1] + gradients + layer.backward_bytes, "backward", index)
    yield StepPeak(held_bytes + gradients + update_bytes, "update")
