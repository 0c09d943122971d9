"""Instances of MCUNetV3's network from measured contributions, for any budgets of memory."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeplan.errors import UsageError
from edgeplan.models.sparse_update.mcunetv3 import CLASSIFIER_BYTES, Convolution, mobilenetv2

RATIOS = (0.125, 0.25, 0.5, 1.0)
PART_EXPONENT = 0.5
"""The most important share r of the channels is taken to bring r to this power of what all bring."""
_INDEX, _GAIN = "index", "accuracy_gain_points"


def read_gains(path: Path) -> dict[int, float]:
    """Read what training each convolution alone brings, in points of accuracy.

    Parameters
    ----------
    path
        A CSV file with the columns ``index`` and ``accuracy_gain_points``.

    Raises
    ------
    UsageError
        When the file cannot be read, or has other columns or figures.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {int(row[_INDEX]): float(row[_GAIN]) for row in csv.DictReader(file)}
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}; name a readable file") from None
    except (KeyError, TypeError, ValueError) as error:
        rule = f"must have a number in the columns {_INDEX} and {_GAIN} of every row"
        raise UsageError(f"{path}: {error}: {rule}; mend it") from None


def mcunetv3_document(gains: Mapping[int, float], budgets_bytes: Sequence[int]) -> dict[str, Any]:
    """Return the instance of one device for each budget, all of one speed on one network.

    Parameters
    ----------
    gains
        What training a convolution alone brings, by its index; nothing where it is missing or below 0.
    budgets_bytes
        Memory of every device.

    Examples
    --------
    >>> document = mcunetv3_document({48: 4.13}, [50 * 1024, 100 * 1024])
    >>> len(document["layers"]), document["layers"][48]["options"][3]["contribution"]
    (51, 4.13)
    """
    layers = [_layer(index, layer, gains.get(index, 0.0)) for index, layer in enumerate(mobilenetv2())]
    return {
        "format": "edgeplan/1",
        "problem": "sparse_update",
        "name": f"mcunetv3-mbv2-w0.35 on {len(budgets_bytes)} devices",
        "layers": layers,
        "depth_contribution": [0.0] * (len(layers) + 1),
        "base_bytes": CLASSIFIER_BYTES,
        "devices": [
            {"id": f"mcu-{d}", "memory_bytes": budget, "flops_per_s": 1e8}
            for d, budget in enumerate(budgets_bytes)
        ],
        "network": {"latency_s": 0.002, "bit_per_s": 1e7},
        "training": {"batch_size": 1, "gradient_bytes": 1},
        "objective": {"contribution": 1.0, "aggregation_s": 0.0},
    }


def _layer(index: int, layer: Convolution, gain: float) -> dict[str, Any]:
    options = [
        {
            "ratio": ratio,
            "memory_bytes": layer.weight_bytes(ratio),
            "contribution": max(0.0, gain) * ratio**PART_EXPONENT,
            "parameters": layer.parameters(layer.kept_channels(ratio)),
            "weight_gradient_flops": float(layer.flops) * layer.kept_channels(ratio) / layer.in_channels,
        }
        for ratio in RATIOS
        if layer.kept_channels(ratio) > 0
    ]
    return {
        "name": f"{index}.{layer.kind}",
        "forward_flops": float(layer.flops),
        "input_gradient_flops": float(layer.flops),
        "bias_bytes": layer.bias_bytes,
        "bias_parameters": layer.out_channels,
        "options": options,
    }
