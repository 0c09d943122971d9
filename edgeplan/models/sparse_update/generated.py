"""Instances of any size from a seed: MCUNetV3's network on devices of several memories.

Without measured contributions, what a layer's training brings is drawn: twice as much from one twelve layers
nearer to the output, a fifth of it for depth-wise convolutions, as the measured ones are on the whole.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgeplan.models.sparse_update.mcunetv3 import mobilenetv2
from edgeplan.models.sparse_update.mcunetv3_instance import mcunetv3_document

_TWICE_EVERY, _LAST, _DEPTHWISE, _SPREAD = 12.0, 2.5, 0.2, 0.5
_SLOWEST, _FASTEST = 5e7, 2e8


@dataclass(frozen=True)
class Size:
    """Size of an instance, and the memory of its devices.

    Parameters
    ----------
    num_devices
        Devices.
    num_classes
        Different memories, evenly between the two below; every device draws one of them.
    least_bytes, most_bytes
        Smallest and largest memory.
    """

    num_devices: int
    num_classes: int
    least_bytes: int
    most_bytes: int


def generated(
    size: Size, *, seed: int, aggregation_weight: float, gains: Mapping[int, float] | None = None
) -> dict[str, Any]:
    """Return an instance.

    Parameters
    ----------
    seed
        Of memories, speeds and contributions.
    aggregation_weight
        Contribution that a second of aggregation costs.
    gains
        What training a convolution alone brings, by its index; drawn by default.

    Examples
    --------
    >>> document = generated(Size(3, 2, 51_200, 143_360), seed=1, aggregation_weight=0.1)
    >>> sorted({device["memory_bytes"] for device in document["devices"]})
    [51200, 143360]
    """
    rng = random.Random(seed)
    span = size.most_bytes - size.least_bytes
    memories = [size.least_bytes + span * k // max(1, size.num_classes - 1) for k in range(size.num_classes)]
    speeds = [rng.uniform(_SLOWEST, _FASTEST) for _ in memories]
    drawn = [*range(size.num_classes), *(rng.randrange(size.num_classes) for _ in range(size.num_devices))]
    own = sorted(drawn[: size.num_devices])
    document = mcunetv3_document(_drawn_gains(rng) if gains is None else gains, [memories[k] for k in own])
    for device, k in zip(document["devices"], own, strict=True):
        device["flops_per_s"] = round(speeds[k])
    document["objective"]["aggregation_s"] = aggregation_weight
    kinds = len(set(own))
    document["name"] = f"mcunetv3-mbv2-w0.35 on {size.num_devices} devices of {kinds} memories, seed {seed}"
    return document


def _drawn_gains(rng: random.Random) -> dict[int, float]:
    layers = mobilenetv2()
    gains = {}
    for index, layer in enumerate(layers):
        typical = _LAST * 2 ** ((index - len(layers) + 1) / _TWICE_EVERY)
        share = _DEPTHWISE if layer.kind == "dw" else 1.0
        gains[index] = round(typical * share * rng.lognormvariate(0.0, _SPREAD), 3)
    return gains
