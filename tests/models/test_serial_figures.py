"""Equations (4) to (6) of one stage, by hand and by the figures of the paper."""

from __future__ import annotations

import pytest
from small_instances import document, layer, node, problem

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.layer_assignment.serial_figures import SerialFigures

TRAINING = {"batch_size": 2, "weight_bytes": 2, "gradient_bytes": 3, "optimizer_bytes": 5}
LAYERS = [
    layer(
        name,
        parameters=10**k,
        forward_flops=1 * 10**k,
        input_gradient_flops=2 * 10**k,
        weight_gradient_flops=3 * 10**k,
        output_bytes=[7, 50, 9, 8][k],
        saved_bytes=4 * 10**k,
        saved_frozen_bytes=5 * 10**k,
    )
    for k, name in enumerate("abcd")
]


def figures(**members: object) -> SerialFigures:
    return problem(LAYERS, **{"training": TRAINING, **members}).serial


def opt_1_3b() -> LayerAssignment:
    """OPT-1.3B's 24 blocks, P = 1.3e9 as equal as integers allow, no activations; layer_assignment.md."""
    sizes = [1_300_000_000 // 24 + (index < 1_300_000_000 % 24) for index in range(24)]
    layers = [layer(f"block{index}", parameters=size) for index, size in enumerate(sizes)]
    training = {
        "batch_size": 1,
        "weight_bytes": 2,
        "gradient_bytes": 2,
        "optimizer_bytes": 12,
        "frozen_weight_bytes": 2,
    }
    return LayerAssignment.from_document(document(layers, training=training))


# Golden: Snake Learning's OPT-1.3B figure (arXiv:2405.03372) by the memory law, equation (4), as
# layer_assignment.md prints it: 16 bytes a trained parameter, 2 a frozen one.
def test_training_all_of_opt_1_3b_takes_19_37_gib() -> None:
    assert round(opt_1_3b().figures.memory_bytes(range(24)) / 2**30, 2) == 19.37


@pytest.mark.parametrize("index", range(24))
def test_training_one_of_24_layers_of_opt_1_3b_takes_3_13_gib(index: int) -> None:
    assert round(opt_1_3b().figures.memory_bytes([index]) / 2**30, 2) == 3.13


def test_memory_counts_saved_tensors_of_trained_layers_and_masks_behind_the_first() -> None:
    # weights 2 * 1101 outside, 10 * 10 trained; 2 samples * (40 trained + 500 + 5000 behind + 2 * 50)
    assert figures().memory_bytes([1]) == 2 * 1101 + 10 * 10 + 2 * (40 + 500 + 5000 + 100)


def test_a_trained_shared_layer_in_front_makes_every_layer_pass_its_gradient() -> None:
    shared = figures(shared_layers=["a"])
    assert shared.memory_bytes([2]) == 2 * 1010 + 10 * 101 + 2 * (4 + 400 + 50 + 5000 + 100)
    assert shared.flops({0, 2}) == 1111 + 2 * 1110 + 3 * 101


def test_a_frozen_shared_layer_is_only_weights() -> None:
    frozen = figures(shared_layers=["a"], train_shared=False)
    assert frozen.memory_bytes([2]) == 2 * 1011 + 10 * 100 + 2 * (400 + 5000 + 100)
    assert frozen.bytes_to_update([2]) == 2 * 1010
    assert frozen.bytes_to_return([2]) == 2 * 100


def test_the_reserve_and_frozen_weights_of_half_a_byte_count() -> None:
    packed = figures(training=TRAINING | {"frozen_weight_bytes": 0.5, "reserve_bytes": 1000})
    # 0.5 * 1101 = 550.5, rounded up with the rest
    assert packed.memory_bytes([1]) == 1000 + 551 + 100 + 2 * (40 + 5500 + 100)


def test_tenths_of_a_byte_are_decimals_and_not_binary_fractions() -> None:
    tenths = figures(training={**TRAINING, "weight_bytes": 0.1, "gradient_bytes": 0.2, "optimizer_bytes": 0})
    assert tenths.bytes_to_update([0, 1, 2]) == 100
    assert tenths.memory_bytes([3]) == 12 + 300 + 2 * (4000 + 100)


def test_compute_time_is_flops_over_speed_times_samples_and_steps() -> None:
    given = figures(training=TRAINING | {"local_steps": 5})
    speed = node("p", flops_per_s=100.0)
    fast = problem(nodes=[speed]).instance.network.nodes[0]
    assert given.compute_s(fast, [1]) == 5 * 2 * (1111 + 2 * 1100 + 3 * 10) / 100
    assert given.compute_s(fast, [0]) == 5 * 2 * (1111 + 2 * 1110 + 3 * 1) / 100


def test_measured_timings_take_the_place_of_flops_and_halve_what_is_not_trained() -> None:
    measured = document(LAYERS, [node("p", type="pi"), node("q")], training=TRAINING)
    measured["network"]["timings"] = {
        "pi": {name: {"forward_s": 10.0**k, "backward_s": 2 * 10.0**k} for k, name in enumerate("abcd")}
    }
    given = LayerAssignment.from_document(measured)
    timed, untimed = given.instance.network.nodes
    assert given.figures.compute_s(timed, [1]) == 2 * (1111 + 20 + (200 + 2000) / 2)
    assert given.figures.compute_s(untimed, [1]) == 2 * (1111 + 2200 + 30)


def test_bringing_a_node_up_to_date_moves_all_but_its_own_run() -> None:
    shared = figures(shared_layers=["a"])
    assert shared.bytes_to_update([1, 2]) == 2 * (1000 + 1)
    assert shared.bytes_to_return([1, 2]) == 2 * (10 + 100 + 1)


def test_a_round_over_equal_nodes_moves_about_half_of_federated_averaging() -> None:
    # Snake Learning (arXiv:2405.03372): federated averaging moves 2 * all parameters a node and round
    given = opt_1_3b().figures
    moved = sum(given.bytes_to_update([index]) for index in range(24))
    assert 0.45 < moved / (24 * 2 * 2 * 1_300_000_000) < 0.5
