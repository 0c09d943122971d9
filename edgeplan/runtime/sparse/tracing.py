"""Find the trainable layers of a network, in the order in which they run, and what a batch brings to each.

The network runs once on tensors without memory. A batch norm belongs to the layer whose output it reads; a
ReLU to the layer that ran last before it, which is right in chains and with residual sums.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from edgeplan.runtime.sparse.layers import TracedLayer
from edgeplan.runtime.sparse.pruned.activation import num_mask_bytes
from edgeplan.runtime.sparse.request import BATCH_NORMS


def traced_layers(module: nn.Module, batch: Tensor) -> list[TracedLayer]:
    """Return the trainable layers from input to output.

    Parameters
    ----------
    module
        The network as it was before pruning; it is not changed.
    batch
        Its input; only shape and type matter.

    Examples
    --------
    >>> module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3))
    >>> first, second = traced_layers(module, torch.zeros(2, 3, 10, 10))
    >>> first.name, first.norm, first.channel_bytes, first.mask_bytes
    ('0', '1', 800, 128)
    >>> second.weight_bytes(0.25)
    1024
    """
    unallocated = copy.deepcopy(module).to("meta").eval()
    trace = _Trace()
    for name, inner in unallocated.named_modules():
        if type(inner) in (nn.Conv2d, nn.Linear):
            inner.register_forward_hook(trace.layer(name))
        elif type(inner) in BATCH_NORMS:
            inner.register_forward_hook(trace.norm(name))
        elif type(inner) in (nn.ReLU, nn.ReLU6):
            inner.register_forward_hook(trace.relu)
    with torch.no_grad():
        unallocated(batch.to("meta"))
    return trace.layers


class _Trace:
    """What has run so far."""

    def __init__(self) -> None:
        self.layers: list[TracedLayer] = []
        self._output: Tensor | None = None

    def layer(self, name: str) -> Callable[[Any, Any, Tensor], None]:
        def ran(module: Any, inputs: tuple[Tensor], output: Tensor) -> None:
            in_channels = getattr(module, "in_channels", None) or module.in_features
            bias_parameters = 0 if module.bias is None else module.bias.numel()
            self.layers.append(
                TracedLayer(
                    name,
                    in_channels=in_channels,
                    channel_bytes=inputs[0].nbytes // in_channels,
                    output_bytes=output.nbytes,
                    channel_parameters=module.weight.numel() // in_channels,
                    bias_parameters=bias_parameters,
                )
            )
            self._output = output

        return ran

    def norm(self, name: str) -> Callable[[Any, Any, Tensor], None]:
        def ran(module: Any, inputs: tuple[Tensor], _output: Tensor) -> None:
            if self._output is not None and inputs[0] is self._output:
                bias_parameters = 0 if module.bias is None else module.bias.numel()
                self.layers[-1] = replace(self.layers[-1], norm=name, bias_parameters=bias_parameters)

        return ran

    def relu(self, _module: nn.Module, inputs: tuple[Tensor], _output: Tensor) -> None:
        if self.layers:
            last = self.layers[-1]
            mask_bytes = last.mask_bytes + num_mask_bytes(inputs[0].numel())
            self.layers[-1] = replace(last, mask_bytes=mask_bytes)
