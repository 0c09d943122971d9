"""A tiny instance for documentation and first steps."""

from __future__ import annotations

from edgeplan.models.sparse_update.problem import SparseUpdate


def two_layers_two_boards() -> SparseUpdate:
    """Return two layers on a board with room for one of them, and on one with room for both.

    Examples
    --------
    >>> [device.id for device in two_layers_two_boards().instance.devices]
    ['small', 'large']
    """
    layer = {"forward_flops": 1e6, "input_gradient_flops": 1e6, "bias_bytes": 0}
    option = {"ratio": 1.0, "memory_bytes": 1000, "parameters": 500, "weight_gradient_flops": 1e6}
    return SparseUpdate.from_document(
        {
            "format": "edgeplan/1",
            "problem": "sparse_update",
            "name": "two layers on two boards",
            "layers": [
                {"name": "conv", **layer, "options": [{"contribution": 1.0, **option}]},
                {"name": "fc", **layer, "options": [{"contribution": 2.0, **option}]},
            ],
            "depth_contribution": [0.0, 0.1, 0.2],
            "devices": [
                {"id": "small", "memory_bytes": 1500, "flops_per_s": 1e9},
                {"id": "large", "memory_bytes": 2500, "flops_per_s": 1e9},
            ],
            "network": {"latency_s": 0.001, "bit_per_s": 1e6},
            "training": {"batch_size": 8, "gradient_bytes": 4},
            "objective": {"contribution": 1.0, "aggregation_s": 0.1},
        }
    )
