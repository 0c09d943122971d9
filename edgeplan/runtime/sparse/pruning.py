"""Make the pruned form of a network, for the update of one device."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from edgeplan.runtime.sparse.channels import num_channels
from edgeplan.runtime.sparse.layers import TrainableLayer
from edgeplan.runtime.sparse.network import PrunedNetwork, SlicedLayer
from edgeplan.runtime.sparse.pruned import (
    FrozenBatchNorm,
    PrunedConv2d,
    PrunedDepthwiseConv2d,
    PrunedLayer,
    PrunedLinear,
    PrunedReLU,
    PrunedReLU6,
)
from edgeplan.runtime.sparse.request import check_request, is_depthwise, named_parts

FROZEN_FORMS: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    nn.Conv2d: PrunedConv2d,
    nn.Linear: PrunedLinear,
    nn.BatchNorm1d: FrozenBatchNorm,
    nn.BatchNorm2d: FrozenBatchNorm,
    nn.BatchNorm3d: FrozenBatchNorm,
    nn.ReLU: lambda _: PrunedReLU(),
    nn.ReLU6: lambda _: PrunedReLU6(),
}
"""By exact class: a subclass may compute something else."""


def prune(
    module: nn.Module,
    layers: Sequence[TrainableLayer],
    *,
    depth: int,
    ratios: Mapping[str, float],
    orders: Mapping[str, Tensor],
) -> PrunedNetwork:
    """Make a network that trains a part of `module`, and keeps only what that part needs.

    Every convolution, linear layer, batch norm, ReLU and ReLU6 gets its pruned form, frozen where the update
    does not reach; other modules stay, with frozen parameters. `module` itself is not changed.

    Parameters
    ----------
    module
        The network.
    layers
        The trainable layers, from input to output.
    depth
        Number of layers from the last whose biases are trained.
    ratios
        Share of the weights trained, by name of a layer among the last `depth`; none of the others.
    orders
        Input channels of every trainable layer, most important first: int64, C_in.

    Raises
    ------
    UsageError
        When these do not fit the network, or a module cannot be pruned; all faults of the request in one.

    Examples
    --------
    >>> import torch
    >>> module = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> orders = {"0": torch.arange(8), "2": torch.tensor([3, 0, 1, 2])}
    >>> layers = [TrainableLayer("0"), TrainableLayer("2")]
    >>> network = prune(module, layers, depth=1, ratios={"2": 0.5}, orders=orders)
    >>> [tuple(leaf.shape) for leaf in network.parameters()]
    [(2, 2), (2,)]
    """
    check_request(module, layers, depth=depth, ratios=ratios, orders=orders)
    copied = copy.deepcopy(module).requires_grad_(False)
    modules = named_parts(copied)
    channels = {
        layer.name: _trained_channels(orders[layer.name], ratios.get(layer.name, 0.0)) for layer in layers
    }
    forms = {**_frozen_forms(modules), **_listed_forms(modules, layers, depth, channels)}
    for name, old in modules.items():
        if id(old) in forms:
            copied.set_submodule(name, forms[id(old)].train(old.training))
    sliced = {layer.name: _sliced(copied, layer, orders[layer.name]) for layer in layers}
    return PrunedNetwork(copied, sliced, tuple(module.state_dict()))


def _trained_channels(order: Tensor, ratio: float) -> Tensor | None:
    count = num_channels(ratio, len(order))
    return order[:count] if count else None


def _frozen_forms(modules: Mapping[str, nn.Module]) -> dict[int, nn.Module]:
    """Forms by the identity of what they stand for, so that a shared module stays shared."""
    return {
        id(module): FROZEN_FORMS[type(module)](module)
        for module in modules.values()
        if type(module) in FROZEN_FORMS
    }


def _listed_forms(
    modules: Mapping[str, nn.Module],
    layers: Sequence[TrainableLayer],
    depth: int,
    channels: Mapping[str, Tensor | None],
) -> dict[int, nn.Module]:
    forms: dict[int, nn.Module] = {}
    for distance, layer in enumerate(reversed(layers), start=1):
        trains_own_bias = distance <= depth and layer.norm is None
        module = modules[layer.name]
        forms[id(module)] = _layer_form(module, channels[layer.name], trains_bias=trains_own_bias)
        if distance <= depth and layer.norm is not None:
            norm: Any = modules[layer.norm]
            forms[id(norm)] = FrozenBatchNorm(norm, trains_bias=True)
    return forms


def _layer_form(module: nn.Module, channels: Tensor | None, *, trains_bias: bool) -> PrunedLayer:
    if isinstance(module, nn.Linear):
        return PrunedLinear(module, channels, trains_bias=trains_bias)
    assert isinstance(module, nn.Conv2d)
    form = PrunedDepthwiseConv2d if is_depthwise(module) else PrunedConv2d
    return form(module, channels, trains_bias=trains_bias)


def _sliced(root: nn.Module, layer: TrainableLayer, order: Tensor) -> SlicedLayer:
    weights, holder = (root.get_submodule(name) for name in (layer.name, layer.norm or layer.name))
    assert isinstance(weights, PrunedLayer)
    assert isinstance(holder, PrunedLayer | FrozenBatchNorm)
    return SlicedLayer(weights, holder, order)
