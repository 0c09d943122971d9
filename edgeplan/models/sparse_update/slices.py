"""Slices of parameters, by the devices that update them, equation (5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgeplan.models.sparse_update.instance import SparseUpdateInstance
from edgeplan.models.sparse_update.plan import DevicePlan, Slice


@dataclass(frozen=True)
class Updated:
    """A slice, the devices that update it, and its size.

    Parameters
    ----------
    slice
        Channels between two ratios in use that are neighbours, or a bias.
    members
        Indices of the devices that update it, G, in order; at least one.
    parameters
        Above 0.
    """

    slice: Slice
    members: tuple[int, ...]
    parameters: int


def updated_slices(instance: SparseUpdateInstance, devices: Sequence[DevicePlan]) -> Iterator[Updated]:
    """Yield the slices that have parameters, layer by layer, the bias after the weights.

    Parameters
    ----------
    devices
        What each device updates, in the instance's order.
    """
    ratios = [{update.layer: update.ratio for update in device.updates} for device in devices]
    for index, layer in enumerate(instance.layers):
        in_use = sorted({own[layer.name] for own in ratios if layer.name in own})
        below, parameters_below = 0.0, 0
        for ratio in in_use:
            parameters = layer.option_of[ratio].parameters
            members = tuple(d for d, own in enumerate(ratios) if own.get(layer.name, 0.0) >= ratio)
            if parameters > parameters_below:
                part = Slice.model_validate({"layer": layer.name, "from": below, "to": ratio})
                yield Updated(part, members, parameters - parameters_below)
            below, parameters_below = ratio, parameters
        to_end = len(instance.layers) - index
        members = tuple(d for d, device in enumerate(devices) if device.depth >= to_end)
        if layer.bias_parameters and members:
            yield Updated(Slice(layer=layer.name, bias=True), members, layer.bias_parameters)
