"""Slices of parameters, by the devices that update them, equation (5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

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


Alike = tuple[int, dict[str, float], list[int]]
"""Depth and ratios by layer of devices that do the same, and their indices."""


def alike(devices: Sequence[DevicePlan]) -> list[Alike]:
    """Put together the devices that do the same, of which there may be thousands."""
    found: dict[object, Alike] = {}
    for d, device in enumerate(devices):
        ratios = {update.layer: update.ratio for update in device.updates}
        found.setdefault((device.depth, tuple(ratios.items())), (device.depth, ratios, []))[2].append(d)
    return list(found.values())


def updated_slices(instance: SparseUpdateInstance, devices: Sequence[DevicePlan]) -> Iterator[Updated]:
    """Yield the slices that have parameters, layer by layer, the bias after the weights.

    Parameters
    ----------
    devices
        What each device updates, in the instance's order.
    """
    together = alike(devices)
    known: dict[tuple[int, ...], tuple[int, ...]] = {}

    def members(which: tuple[int, ...]) -> tuple[int, ...]:
        if which not in known:
            known[which] = tuple(sorted(chain.from_iterable(together[k][2] for k in which)))
        return known[which]

    for index, layer in enumerate(instance.layers):
        own = [ratios.get(layer.name, 0.0) for _, ratios, _ in together]
        below, parameters_below = 0.0, 0
        for ratio in sorted({one for one in own if one > 0}):
            parameters = layer.option_of[ratio].parameters
            if parameters > parameters_below:
                part = Slice.model_validate({"layer": layer.name, "from": below, "to": ratio})
                which = tuple(k for k, one in enumerate(own) if one >= ratio)
                yield Updated(part, members(which), parameters - parameters_below)
            below, parameters_below = ratio, parameters
        to_end = len(instance.layers) - index
        which = tuple(k for k, (depth, _, _) in enumerate(together) if depth >= to_end)
        if layer.bias_parameters and which:
            yield Updated(Slice(layer=layer.name, bias=True), members(which), layer.bias_parameters)
