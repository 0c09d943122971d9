"""The peak of memory that an update is predicted to reach, beside the limit of equation (1).

Equation (1) counts the larger of what a layer keeps and its gradient, wherever it stands, and what the
largest update takes for a while. Here the same figures are resolved over the step. Of what a layer takes for
a while it is reckoned:

- forward its input, its output, and once more the larger of both: a batch norm and a ReLU have two tensors of
  the output's size, a padded input or one that a residual sum waits for lies beside the one that is read.
  The batch is there in any case. In a chain without either this is up to an input too much;
- backward the gradient of its output, another as large as that or its input, and the masks of its ReLUs
  unpacked, a byte an element;
- what modules without a pruned form keep, all along: where they stand is not known.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from edgeplan.models.step_memory import LayerMemory, StepPeak, step_peak
from edgeplan.runtime.sparse.counting import count_saved_bytes
from edgeplan.runtime.sparse.measured.costs import LayerCosts
from edgeplan.runtime.sparse.network import PrunedNetwork
from edgeplan.runtime.sparse.pruned.activation import BITS


def update_peak(
    costs: Sequence[LayerCosts],
    *,
    resident_bytes: int,
    depth: int,
    ratios: Mapping[str, float],
    others_bytes: int = 0,
) -> StepPeak:
    """Return the peak of a step.

    Parameters
    ----------
    costs
        Of all trainable layers, from input to output.
    resident_bytes
        What is there whatever is trained.
    depth
        Number of layers from the last whose biases are trained.
    ratios
        Share of the weights trained, by name of a layer among the last `depth`.
    others_bytes
        What modules without a pruned form keep of a batch.

    Examples
    --------
    >>> from edgeplan.runtime.sparse.layers import TracedLayer
    >>> fc = TracedLayer("fc", in_channels=8, channel_bytes=400, channel_parameters=10, output_bytes=4000)
    >>> costs = [LayerCosts(fc, forward_flops=160, element_bytes=4, momentum_bytes=4)]
    >>> update_peak(costs, resident_bytes=1000, depth=1, ratios={"fc": 0.25}).num_bytes
    10040
    """
    unreached = len(costs) - depth
    shares = [ratios.get(one.layer.name, 0.0) for one in costs]
    held_bytes = sum(
        one.state_bytes(share, trains_bias=index >= unreached)
        for index, (one, share) in enumerate(zip(costs, shares, strict=True))
    )
    return step_peak(
        list(_layers(costs, shares, unreached)), held_bytes=resident_bytes + held_bytes + others_bytes
    )


def saved_by_others(pruned: PrunedNetwork, batch: Tensor, own_bytes: int) -> int:
    """Return what modules without a pruned form keep of a batch.

    Parameters
    ----------
    pruned
        The network as it is trained; it is not changed.
    batch
        Its input; only shape and type matter.
    own_bytes
        What layers and ReLUs keep.
    """
    unallocated = copy.deepcopy(pruned.module).to("meta")
    return max(0, count_saved_bytes(unallocated, batch.to("meta")) - own_bytes)


def _layers(costs: Sequence[LayerCosts], shares: Sequence[float], unreached: int) -> Iterator[LayerMemory]:
    passes_gradients = False
    for index, (one, share) in enumerate(zip(costs, shares, strict=True)):
        layer, gradient = one.layer, one.gradient_bytes(share, trains_bias=index >= unreached)
        # Without a trained parameter before it a ReLU has no gradient to pass on, and keeps nothing.
        passes_gradients = passes_gradients or gradient > 0
        read, written = layer.channel_bytes * layer.in_channels, layer.output_bytes
        both = max(read, written)
        yield LayerMemory(
            saved_bytes=layer.weight_bytes(share) + layer.mask_bytes * passes_gradients,
            gradient_bytes=gradient,
            forward_bytes=(read if index else 0) + written + both,
            backward_bytes=(written + both + BITS * layer.mask_bytes) * passes_gradients,
        )
