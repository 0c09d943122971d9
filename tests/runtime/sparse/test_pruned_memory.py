"""What autograd keeps: to the byte what the arithmetic says, and far less than eager PyTorch."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from pruned_networks import case_of, chain, mobilenet, random_ratios, scores
from torch import nn

from edgeplan.runtime.sparse import count_saved_bytes, saved_bytes


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("depth", range(6))
def test_a_chain_keeps_what_the_arithmetic_says(depth: int, seed: int) -> None:
    case = chain()
    ratios = random_ratios(case.layers, depth, seed)
    expected = saved_bytes(case.layers, depth=depth, ratios=ratios)
    assert count_saved_bytes(case.prune(depth, ratios).module, case.batch) == expected


@pytest.mark.parametrize(
    ("depth", "image_size", "batch_size", "dtype"),
    [(1, 32, 4, torch.float32), (20, 48, 3, torch.float32), (53, 32, 1, torch.float64)],
)
def test_mobilenet_keeps_what_the_arithmetic_says(
    depth: int, image_size: int, batch_size: int, dtype: torch.dtype
) -> None:
    case = mobilenet(image_size, batch_size, dtype)
    ratios = random_ratios(case.layers, depth, seed=depth)
    expected = saved_bytes(case.layers, depth=depth, ratios=ratios)
    assert count_saved_bytes(case.prune(depth, ratios).module, case.batch) == expected


def test_a_layer_keeps_its_share_of_the_channels_and_a_bit_an_output() -> None:
    first, depthwise, *_, last = chain().layers
    # 3 x 8 x 7 x 7 outputs of the first convolution, read by the second
    assert first.mask_bytes == depthwise.mask_bytes == 3 * 8 * 7 * 7 // 8
    assert depthwise.weight_bytes(0.25) == 2 * 3 * 7 * 7 * 4
    assert depthwise.parameters(0.25) == 2 * 3 * 3
    assert (last.channel_bytes, last.channel_parameters, last.bias_parameters) == (3 * 4, 4, 4)
    assert [layer.norm for layer in chain().layers] == ["1", "4", None, None, None]


def test_a_biasless_layer_at_the_start_records_nothing() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU())
    case = case_of(module, torch.randn(2, 3, 9, 9))
    expected = saved_bytes(case.layers, depth=2, ratios={})
    assert expected == case.layers[1].mask_bytes
    assert count_saved_bytes(case.prune(2, {}).module, case.batch) == expected


def test_the_frozen_prefix_records_nothing() -> None:
    case = chain()
    module = case.prune(2, {"9": 0.5}).module
    activations = case.batch
    recorded = []
    assert isinstance(module, nn.Sequential)
    for inner in module:
        activations = inner(activations)
        recorded.append(activations.grad_fn is not None)
    assert recorded == [False] * 9 + [True] * 4


def test_a_network_of_which_nothing_is_trained_keeps_nothing() -> None:
    case = mobilenet()
    module = case.prune(0, {}).module
    assert count_saved_bytes(module, case.batch) == 0
    assert not scores(module, case.batch).requires_grad


def test_eager_autograd_keeps_many_times_more_for_an_update_in_the_middle() -> None:
    case = mobilenet(image_size=48)
    ratios = {layer.name: 0.25 for layer in case.layers[-16:-8:2]}
    case.train_eagerly(16, ratios)
    pruned = case.prune(16, ratios).module
    assert count_saved_bytes(case.module, case.batch) > 10 * count_saved_bytes(pruned, case.batch)


def test_the_classifier_alone_keeps_no_more_than_its_inputs() -> None:
    case = mobilenet()
    classifier = case.layers[-1]
    pruned = case.prune(1, {classifier.name: 1.0}).module
    assert count_saved_bytes(pruned, case.batch) == 4 * 1280 * 4
