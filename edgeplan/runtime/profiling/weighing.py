"""FLOPs that stand for seconds: a processor does not do every layer's at the same rate.

A convolution of many channels on a small image, a normalisation or an embedding takes other seconds for a
FLOP than the network on average, and so do the two gradients of one layer. Predictions from counted FLOPs and
one speed share a step's time out wrongly. Weighed FLOPs keep the total, so that a node's speed is that of
the whole network, and share it out as the measured seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PASSES = ("forward", "input_gradient", "weight_gradient")


def weighed(section: Mapping[str, Any], timings: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Return a model section whose FLOPs are in proportion to seconds, and as many in total.

    Parameters
    ----------
    section
        Of `profile`.
    timings
        Of `measure` with `split`, of the same network.

    Examples
    --------
    >>> counted = {"forward_flops": 6, "input_gradient_flops": 6, "weight_gradient_flops": 6}
    >>> seconds = {"forward_s": 1.0, "input_gradient_s": 2.0, "weight_gradient_s": 3.0}
    >>> weighed({"layers": [{"name": "0", **counted}]}, {"0": seconds})["layers"]
    [{'name': '0', 'forward_flops': 3, 'input_gradient_flops': 6, 'weight_gradient_flops': 9}]
    """
    layers = section["layers"]
    flops = sum(layer[f"{kind}_flops"] for layer in layers for kind in _PASSES)
    rate = flops / sum(timings[layer["name"]][f"{kind}_s"] for layer in layers for kind in _PASSES)

    def shared_out(layer: Mapping[str, Any]) -> dict[str, Any]:
        seconds = timings[layer["name"]]
        return {**layer, **{f"{kind}_flops": round(rate * seconds[f"{kind}_s"]) for kind in _PASSES}}

    return {**section, "layers": [shared_out(layer) for layer in layers]}
