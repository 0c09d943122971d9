"""Memory of full training beside one layer a node: equation (4) on the paper's figure and on profiles.

The paper (Snake Learning) states 19.37 GB against 3.13 GB for OPT-1.3B on 24 nodes. The first row
repeats it with 1.3e9 parameters in 24 equal layers; the others take the real networks, whose layers
are not equal, without and with activations of one sample of 512 tokens. ``python examples/memory_law.py``
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.problems import problem_from_document

INSTANCES = Path(__file__).parents[1] / "instances" / "layer_assignment"
BYTES = {"weight_bytes": 2, "frozen_weight_bytes": 2, "gradient_bytes": 2, "optimizer_bytes": 12}
ACTIVATIONS = ("output_bytes", "saved_bytes", "saved_frozen_bytes")


def equal_layers(num_parameters: int, num_layers: int) -> list[dict[str, Any]]:
    """Layers as equal as integers allow, without activations."""
    quotient, rest = divmod(num_parameters, num_layers)
    flops = dict.fromkeys(("forward_flops", "input_gradient_flops", "weight_gradient_flops"), 0)
    return [
        {"name": f"layer.{k}", "parameters": quotient + (k < rest), **flops, **dict.fromkeys(ACTIVATIONS, 0)}
        for k in range(num_layers)
    ]


def problem_of(layers: list[dict[str, Any]]) -> LayerAssignment:
    """One node that trains everything; only equation (4) is asked."""
    return problem_from_document(
        {
            "format": "edgeplan/1",
            "problem": "layer_assignment",
            "model": {"layers": layers},
            "network": {"nodes": [{"id": "node", "flops_per_s": 1, "memory_bytes": 1}]},
            "training": {"batch_size": 1, **BYTES},
            "schedule": "serial",
        }
    )


def memory_gib(layers: list[dict[str, Any]]) -> tuple[float, float]:
    """GiB of training every layer, and of the one layer that needs most among the repeated blocks."""
    figures = problem_of(layers).figures
    blocks = [k for k, layer in enumerate(layers) if layer["name"].split(".")[-1].isdigit()]
    alone = max(figures.memory_bytes([block]) for block in blocks)
    return figures.memory_bytes(range(len(layers))) / 2**30, alone / 2**30


def rows() -> list[tuple[str, float, float]]:
    """Name, GiB of full training, GiB of one layer."""
    table = [("1.3e9 parameters in 24 equal layers", *memory_gib(equal_layers(1_300_000_000, 24)))]
    for name in ("opt-1.3b-24-nodes", "llama-3-8b-32-nodes"):
        layers = json.loads((INSTANCES / f"{name}.json").read_text())["model"]["layers"]
        bare = [layer | dict.fromkeys(ACTIVATIONS, 0) for layer in layers]
        table.append((f"{name}: real profile", *memory_gib(bare)))
        table.append((f"{name}: and activations", *memory_gib(layers)))
    return table


if __name__ == "__main__":
    print(f"{'':<42}{'all layers':>12}{'one layer':>12}")
    for label, full, alone in rows():
        print(f"{label:<42}{full:>8.2f} GiB{alone:>8.2f} GiB")
