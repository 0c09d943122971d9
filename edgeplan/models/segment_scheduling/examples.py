"""A tiny instance for documentation and first steps."""

from __future__ import annotations

from edgeplan.models.segment_scheduling.problem import SegmentScheduling

_BLOCK = {
    "parameters": 100_000,
    "forward_flops": 1e9,
    "input_gradient_flops": 1e9,
    "weight_gradient_flops": 1e9,
    "output_bytes": 25_000,
    "saved_bytes": 50_000,
    "saved_frozen_bytes": 0,
}
_PHONE = {
    "memory_bytes": 2_400_000,
    "overhead_s": 0.0,
    "compute_power_w": 2.0,
    "max_power_w": 0.1,
    "energy_budget_j": 1.0,
}


def two_blocks_two_phones() -> SegmentScheduling:
    """Return one slot of two blocks on a fast and a slow phone, each with room for one block.

    Examples
    --------
    >>> len(two_blocks_two_phones().instance.clusters[0].devices)
    2
    """
    return SegmentScheduling.from_document(
        {
            "format": "edgeplan/1",
            "problem": "segment_scheduling",
            "name": "two blocks on two phones",
            "model": {
                "name": "two",
                "layers": [{"name": "encoder.0", **_BLOCK}, {"name": "encoder.1", **_BLOCK}],
            },
            "clusters": [
                {
                    "id": "home",
                    "d2d_bandwidth_hz": 1e6,
                    "node_order": "free",
                    "uplink_max_power_w": 0.2,
                    "uplink_energy_budget_j": 1.0,
                    "embedding_s": 0.001,
                    "decoder_s": 0.001,
                    "devices": [
                        {"id": "fast", "flops_per_s": 2e10, **_PHONE},
                        {"id": "slow", "flops_per_s": 1e10, **_PHONE},
                    ],
                }
            ],
            "uplink_bandwidth_hz": 1e6,
            "noise_w_per_hz": 4e-21,
            "training": {
                "micro_batch_size": 1,
                "max_micro_batches": 4,
                "weight_bytes": 4,
                "gradient_bytes": 4,
                "optimizer_bytes": 8,
                "in_flight": "1f1b",
            },
            "control": {"tradeoff": 1.0, "slots": 1, "noise_level": 1.0, "noise_budget": 0.5},
            "channels": {
                "kind": "trace",
                "d2d": {"fast": [1e-9], "slow": [1e-9]},
                "uplink": {"home": [1e-10]},
            },
            "initial_queues": {"fast": 2.0, "noise": 0.5},
        }
    )
