"""Does an update fit the network? All faults are told at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from edgeplan.errors import UsageError
from edgeplan.runtime.sparse.layers import TrainableLayer

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def is_depthwise(convolution: nn.Conv2d) -> bool:
    """Say whether every output reads one input channel out of several."""
    return convolution.groups == convolution.in_channels > 1


def named_parts(module: nn.Module) -> dict[str, nn.Module]:
    """Modules inside the network, a shared one under each of its names; without the network itself."""
    return {name: part for name, part in module.named_modules(remove_duplicate=False) if name}


def check_request(
    module: nn.Module,
    layers: Sequence[TrainableLayer],
    *,
    depth: int,
    ratios: Mapping[str, float],
    orders: Mapping[str, Tensor],
) -> None:
    """Refuse an update that does not fit the network.

    Raises
    ------
    UsageError
        With every fault: place, value, rule.
    """
    modules = named_parts(module)
    names = [layer.name for layer in layers]
    faults = [
        *_depth_faults(names, depth),
        *(fault for layer in layers for fault in _layer_faults(modules, layer)),
        *(fault for layer in layers for fault in _order_faults(modules, layer.name, orders)),
        *_ratio_faults(names, depth, ratios),
    ]
    if faults:
        raise UsageError("; ".join(faults))


def _depth_faults(names: Sequence[str], depth: int) -> Iterator[str]:
    if not 0 <= depth <= len(names):
        yield f"depth {depth}: must be between 0 and the {len(names)} layers"
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"layer {name!r}: is listed twice"


def _layer_faults(modules: Mapping[str, nn.Module], layer: TrainableLayer) -> Iterator[str]:
    module = modules.get(layer.name)
    if type(module) not in (nn.Conv2d, nn.Linear):
        yield f"layer {layer.name!r}: must name an nn.Conv2d or an nn.Linear of the network"
    elif isinstance(module, nn.Conv2d) and module.groups != 1 and not is_depthwise(module):
        yield (
            f"layer {layer.name!r}: {module.groups} groups of {module.in_channels} channels; "
            "only convolutions without groups or with a group a channel can be trained by channels"
        )
    if layer.norm is not None and module is not None:
        yield from _norm_faults(modules, layer.norm, module)


def _norm_faults(modules: Mapping[str, nn.Module], name: str, layer: nn.Module) -> Iterator[str]:
    norm = modules.get(name)
    width = getattr(layer, "out_channels", getattr(layer, "out_features", None))
    if type(norm) not in BATCH_NORMS:
        yield f"norm {name!r}: must name a batch norm of the network"
    elif getattr(norm, "num_features", None) != width:
        yield f"norm {name!r}: must have as many features as its layer has outputs, {width}"


def _order_faults(modules: Mapping[str, nn.Module], name: str, orders: Mapping[str, Tensor]) -> Iterator[str]:
    module = modules.get(name)
    width = getattr(module, "in_channels", getattr(module, "in_features", None))
    if width is None:
        return
    order = orders.get(name)
    if order is None or order.dtype != torch.int64 or sorted(order.tolist()) != list(range(width)):
        yield f"order of layer {name!r}: must hold each of the {width} input channels once, as int64"


def _ratio_faults(names: Sequence[str], depth: int, ratios: Mapping[str, float]) -> Iterator[str]:
    reached = names[max(len(names) - depth, 0) :]
    for name, ratio in ratios.items():
        if not 0 <= ratio <= 1:
            yield f"ratio of layer {name!r}: {ratio} must be between 0 and 1"
        if name not in names or (ratio > 0 and name not in reached):
            yield f"ratio of layer {name!r}: {ratio}; must be a layer among the last {depth}"
