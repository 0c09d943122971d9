"""What a pruned network keeps of a batch, by arithmetic.

Of each of the last k layers the masks of its ReLUs, and of those whose weights are trained the chosen input
channels. What modules that are left alone keep (pooling by maxima, dropout in training) is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import dropwhile

from edgeplan.runtime.sparse.layers import TracedLayer


def saved_bytes(layers: Sequence[TracedLayer], *, depth: int, ratios: Mapping[str, float]) -> int:
    """Bytes that one forward pass keeps until the backward pass.

    Parameters
    ----------
    layers
        All trainable layers, from input to output.
    depth
        Number of layers from the last whose biases are trained.
    ratios
        Share of the weights trained, by layer name; none of the others.

    Examples
    --------
    >>> first = TracedLayer("first", in_channels=3, channel_bytes=400, mask_bytes=50, bias_parameters=4)
    >>> second = TracedLayer("second", in_channels=4, channel_bytes=100, bias_parameters=10)
    >>> saved_bytes([first, second], depth=1, ratios={"second": 0.5})
    200
    >>> saved_bytes([first, second], depth=2, ratios={"second": 0.5})
    250
    """

    def trains_nothing(layer: TracedLayer) -> bool:
        return not layer.bias_parameters and not ratios.get(layer.name)

    # Without a trained parameter before it a ReLU has no gradient to pass on, and keeps nothing.
    recorded = dropwhile(trains_nothing, layers[len(layers) - depth :])
    return sum(layer.mask_bytes + layer.weight_bytes(ratios.get(layer.name, 0.0)) for layer in recorded)
