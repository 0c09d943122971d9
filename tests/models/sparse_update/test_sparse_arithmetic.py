"""Figures of small plans, reckoned by hand, and the golden totals of MCUNetV3's published schemes."""

from __future__ import annotations

from typing import Any

import pytest

from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.models.sparse_update.examples import two_layers_two_boards
from edgeplan.models.sparse_update.mcunetv3 import CLASSIFIER_BYTES, mobilenetv2

SCHEMES = [  # depth, ratios by convolution, KB; as published in mit-han-lab/tiny-training
    (16, {36: 1, 39: 1, 40: 0, 41: 0.25, 42: 0.125, 45: 0.125, 48: 0.125, 49: 0.125}, 49.807),
    (25, {27: 1, 30: 1, 33: 1, 36: 1, 39: 1, 42: 0.125, 45: 0.5, 48: 1}, 99.406),
]


def mcunetv3(depth: int, ratios: dict[int, float]) -> tuple[SparseUpdate, SparsePlan]:
    """State a scheme as a plan of one device, whose instance offers its ratios."""
    layers = [
        {
            "name": f"c{index}",
            "forward_flops": layer.flops,
            "input_gradient_flops": layer.flops,
            "bias_bytes": layer.bias_bytes,
            "options": [
                {
                    "ratio": ratio,
                    "memory_bytes": layer.weight_bytes(ratio),
                    "contribution": 1.0,
                    "parameters": layer.parameters(layer.kept_channels(ratio)),
                    "weight_gradient_flops": layer.flops * ratio,
                }
                for ratio in (0.125, 0.25, 0.5, 1.0)
            ],
        }
        for index, layer in enumerate(mobilenetv2())
    ]
    document = two_layers_two_boards().to_document() | {
        "layers": layers,
        "depth_contribution": [0.0] * (len(layers) + 1),
        "base_bytes": CLASSIFIER_BYTES,
        "devices": [{"id": "mcu", "memory_bytes": 100 * 1024, "flops_per_s": 1e8}],
    }
    updates = [{"layer": f"c{index}", "ratio": ratio} for index, ratio in ratios.items() if ratio > 0]
    plan = {"devices": [{"id": "mcu", "depth": depth, "updates": updates}]}
    return SparseUpdate.from_document(document), SparsePlan.from_document(plan)


@pytest.mark.parametrize(("depth", "ratios", "kilobytes"), SCHEMES)
def test_published_schemes_have_their_golden_totals(
    depth: int, ratios: dict[int, float], kilobytes: float
) -> None:
    problem, plan = mcunetv3(depth, ratios)
    check = problem.check(plan)
    assert check.feasible
    assert check.metrics is not None
    assert check.metrics["devices"][0]["memory_bytes"] / 1024 == pytest.approx(kilobytes, abs=5e-4)


def checked(plan: dict[str, Any], **members: Any) -> Any:
    problem = two_layers_two_boards().replace(**members)
    return problem.check(SparsePlan.from_document(plan))


def board(name: str, depth: int, *layers: str) -> dict[str, Any]:
    return {"id": name, "depth": depth, "updates": [{"layer": layer, "ratio": 1.0} for layer in layers]}


def test_a_layer_of_one_board_is_broadcast_and_one_of_both_is_averaged() -> None:
    check = checked({"devices": [board("small", 1, "fc"), board("large", 2, "conv", "fc")]})
    n, alpha, beta = 2000, 0.001, 8e-6
    assert check.feasible
    assert check.metrics["num_collectives"] == 2
    assert check.metrics["num_groups"] == 2
    assert check.metrics["bytes_moved"] == 2 * n + n
    # all-reduce over 2, broadcast to 1
    assert check.metrics["aggregation_s"] == pytest.approx((2 * alpha + n * beta) + (alpha + n * beta))
    assert check.metrics["contribution"] == pytest.approx((0.1 + 2.0) + (0.2 + 1.0 + 2.0))
    assert check.objective == pytest.approx(5.3 - 0.1 * check.metrics["aggregation_s"])
    # a step of 8 samples: forward of both layers, the gradient behind the first reached, weights
    steps = [device["step_s"] for device in check.metrics["devices"]]
    assert steps == pytest.approx([8 * 3e6 / 1e9, 8 * 5e6 / 1e9])
    assert [device["memory_bytes"] for device in check.metrics["devices"]] == [1000, 2000]


def test_dense_data_parallelism_stands_beside() -> None:
    dense = checked({"devices": [board("small", 0), board("large", 0)]}).metrics["dense"]
    assert dense["per_layer"]["num_collectives"] == 2
    assert dense["per_layer"]["aggregation_s"] == pytest.approx(2 * (0.002 + 2000 * 8e-6))
    assert dense["fused"]["num_collectives"] == 1
    assert dense["fused"]["aggregation_s"] == pytest.approx(0.002 + 4000 * 8e-6)


@pytest.mark.parametrize(("broadcast", "seconds"), [("flat", 0.001 + 2 * 0.016), ("tree", 2 * 0.017)])
def test_a_broadcast_to_two_is_flat_or_a_tree(broadcast: str, seconds: float) -> None:
    boards = [{"id": name, "memory_bytes": 2500, "flops_per_s": 1e9} for name in ("a", "b", "c")]
    plan = {"devices": [board("a", 1, "fc"), board("b", 0), board("c", 0)]}
    check = checked(plan, devices=boards, broadcast=broadcast)
    assert check.metrics["aggregation_s"] == pytest.approx(seconds)


def test_fusing_puts_slices_of_the_same_boards_into_one_buffer() -> None:
    plan = {"devices": [board("small", 0), board("large", 2, "conv", "fc")]}
    assert checked(plan).metrics["aggregation_s"] == pytest.approx(0.001 + 4000 * 8e-6)
    assert checked(plan, fuse=False).metrics["aggregation_s"] == pytest.approx(2 * (0.001 + 2000 * 8e-6))


def test_the_smaller_ratio_is_a_part_of_the_larger() -> None:
    layer = two_layers_two_boards().to_document()["layers"][1]
    half = layer["options"][0] | {"ratio": 0.5, "memory_bytes": 500, "parameters": 200}
    layers = [
        two_layers_two_boards().to_document()["layers"][0],
        layer | {"options": [half, *layer["options"]]},
    ]
    devices = [
        {"id": "small", "depth": 1, "updates": [{"layer": "fc", "ratio": 0.5}]},
        board("large", 1, "fc"),
    ]
    metrics = checked({"devices": devices}, layers=layers).metrics
    assert metrics["num_groups"] == 2
    # 200 parameters averaged by both, 300 told by one to the other
    assert metrics["bytes_moved"] == 2 * 800 + 1200


def test_the_slowest_pair_used_sets_latency_and_rate() -> None:
    nodes = [
        {"id": "small", "flops_per_s": 1e9, "memory_bytes": 1500, "uplink_bit_per_s": 1e5, "latency_s": 0.01},
        {"id": "large", "flops_per_s": 1e9, "memory_bytes": 2500, "uplink_bit_per_s": 1e6, "latency_s": 0.02},
    ]
    plan = {"devices": [board("small", 1, "fc"), board("large", 2, "conv", "fc")]}
    metrics = checked(plan, network={"nodes": nodes}).metrics
    averaged, told = 2 * 0.03 + 2000 * 8 / 1e5, 0.03 + 2000 * 8 / 1e6
    assert metrics["aggregation_s"] == pytest.approx(averaged + told)


def test_free_collectives_are_judged_as_they_are_listed() -> None:
    both = ["small", "large"]
    slices = [{"layer": layer, "from": 0.0, "to": 1.0} for layer in ("conv", "fc")]
    plan = {
        "devices": [board("small", 1, "fc"), board("large", 2, "conv", "fc")],
        "collectives": [{"kind": "all_reduce", "members": both, "slices": slices}],
    }
    free = checked(plan, collectives="free")
    assert free.feasible
    assert free.metrics["aggregation_s"] == pytest.approx(0.002 + 4000 * 8e-6)
    assert {violation.rule for violation in checked(plan).violations} == {"collectives"}
