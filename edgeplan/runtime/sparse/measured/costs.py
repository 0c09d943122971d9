"""What training parts of a layer takes: bytes, parameters and FLOPs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgeplan.runtime.sparse.channels import num_channels
from edgeplan.runtime.sparse.layers import TracedLayer
from edgeplan.runtime.sparse.measured.base_bytes import INDEX_BYTES
from edgeplan.runtime.sparse.request import is_depthwise


@dataclass(frozen=True)
class LayerCosts:
    """Costs of one layer.

    Examples
    --------
    >>> fc = TracedLayer("fc", in_channels=8, channel_bytes=400, channel_parameters=10, bias_parameters=10)
    >>> costs = LayerCosts(fc, forward_flops=160, element_bytes=4, momentum_bytes=4)
    >>> costs.memory_bytes(0.25), costs.bias_bytes, costs.weight_gradient_flops(0.25)
    (960, 80, 40)
    """

    layer: TracedLayer
    """What a batch brings to it."""
    forward_flops: int
    """Of the forward pass, per sample; the gradient of the input takes as many."""
    element_bytes: int
    """Of a parameter."""
    momentum_bytes: int
    """Of a parameter's momentum; 0 where there is none."""
    index_bytes: int = 0
    """Per trained channel, of what says where in the weights it stands."""

    def memory_bytes(self, ratio: float) -> int:
        """Copy of the weights, momentum, and the input channels or the gradient that follows on them."""
        in_turn = max(self.layer.weight_bytes(ratio), self.gradient_bytes(ratio, trains_bias=False))
        return in_turn + self.state_bytes(ratio, trains_bias=False)

    def state_bytes(self, ratio: float, *, trains_bias: bool) -> int:
        """Copy of the weights, momentum and indices: what is there from the first step on."""
        channels = num_channels(ratio, self.layer.in_channels)
        weights = self.layer.parameters(ratio) * (self.element_bytes + self.momentum_bytes)
        bias = self.layer.bias_parameters * self.momentum_bytes * trains_bias
        return weights + bias + channels * self.index_bytes

    def gradient_bytes(self, ratio: float, *, trains_bias: bool) -> int:
        """Gradients of the weights, and of the bias if it is trained."""
        bias = self.layer.bias_parameters * trains_bias
        return (self.layer.parameters(ratio) + bias) * self.element_bytes

    @property
    def bias_bytes(self) -> int:
        """Masks, gradient and momentum of the bias, for the whole batch."""
        per_parameter = self.element_bytes + self.momentum_bytes
        return self.layer.mask_bytes + self.layer.bias_parameters * per_parameter

    def weight_gradient_flops(self, ratio: float) -> int:
        """FLOPs of the weights' gradient, per sample; a weight takes part in as many products as forward."""
        return self.forward_flops // self.layer.in_channels * num_channels(ratio, self.layer.in_channels)


def costs_of(
    module: nn.Module, layers: Sequence[TracedLayer], batch: Tensor, *, momentum: bool
) -> list[LayerCosts]:
    """Find the costs of all layers.

    Parameters
    ----------
    module
        The network; it is not changed.
    layers
        Its trainable layers.
    batch
        Its input; only shape and type matter.
    momentum
        Whether the optimizer keeps a momentum of every trained parameter.
    """
    flops = forward_flops(module, layers, batch)
    sizes = [module.get_parameter(f"{layer.name}.weight").element_size() for layer in layers]
    return [
        LayerCosts(
            layer, flops[layer.name], size, size * momentum, _index_bytes(module.get_submodule(layer.name))
        )
        for layer, size in zip(layers, sizes, strict=True)
    ]


def _index_bytes(layer: nn.Module) -> int:
    """A depth-wise convolution notes its filters beside its channels."""
    if isinstance(layer, nn.Conv2d) and is_depthwise(layer):
        return INDEX_BYTES * layer.out_channels // layer.in_channels
    return 0


def forward_flops(module: nn.Module, layers: Sequence[TracedLayer], batch: Tensor) -> dict[str, int]:
    """FLOPs of each layer's forward pass, per sample, multiply-adds counted twice; groups are seen.

    Examples
    --------
    >>> from edgeplan.runtime.sparse import traced_layers
    >>> module = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 4, 1))
    >>> batch = torch.zeros(2, 8, 6, 6)
    >>> forward_flops(module, traced_layers(module, batch), batch)
    {'0': 2304, '1': 1024}
    """
    unallocated = copy.deepcopy(module).to("meta").eval()
    counted: dict[str, int] = {}
    for layer in layers:
        unallocated.get_submodule(layer.name).register_forward_hook(_counting(counted, layer.name))
    with torch.no_grad():
        unallocated(batch.to("meta"))
    return {name: flops // len(batch) for name, flops in counted.items()}


def _counting(counted: dict[str, int], name: str) -> Callable[[Any, Any, Tensor], None]:
    def ran(layer: Any, _inputs: Any, output: Tensor) -> None:
        # A weight holds the products of one output position in all output channels.
        positions = output.numel() // layer.weight.shape[0]
        counted[name] = 2 * positions * layer.weight.numel()

    return ran
