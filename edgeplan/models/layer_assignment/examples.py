"""A tiny instance for documentation and first steps."""

from __future__ import annotations

from edgeplan.models.layer_assignment.problem import LayerAssignment


def two_layers_two_nodes() -> LayerAssignment:
    """Return two layers on a fast node that holds only one of them, and a slow node.

    Examples
    --------
    >>> len(two_layers_two_nodes().instance.model.layers)
    2
    """
    layer = {
        "forward_flops": 1e9,
        "input_gradient_flops": 1e9,
        "weight_gradient_flops": 1e9,
        "output_bytes": 0,
        "saved_bytes": 0,
        "saved_frozen_bytes": 0,
    }
    return LayerAssignment.from_document(
        {
            "format": "edgeplan/1",
            "problem": "layer_assignment",
            "name": "two layers on two nodes",
            "model": {
                "name": "two",
                "layers": [
                    {"name": "conv", "parameters": 1000, **layer},
                    {"name": "head", "parameters": 1000, **layer},
                ],
            },
            "network": {
                "nodes": [
                    {"id": "fast", "flops_per_s": 4e9, "memory_bytes": 20_000},
                    {"id": "slow", "flops_per_s": 1e9, "memory_bytes": 40_000},
                ]
            },
            "training": {"batch_size": 1, "weight_bytes": 4, "gradient_bytes": 4, "optimizer_bytes": 8},
            "schedule": "serial",
        }
    )
