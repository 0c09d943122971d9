"""FLOPs of profiled modules against arithmetic by hand and against PyTorch's own counter."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from edgeplan.runtime.networks import vgg11
from edgeplan.runtime.profiling import profile

FIGURES = ("forward_flops", "input_gradient_flops", "weight_gradient_flops")


def flops(module: nn.Module, *shapes: str, dtype: str = "float32") -> list[tuple[int, ...]]:
    section = profile(module, input_shapes=shapes, input_dtypes=[dtype])
    return [tuple(layer[figure] for figure in FIGURES) for layer in section["layers"]]


def test_a_convolution_counts_as_by_hand():
    # 32 x 32 positions x 64 channels x (3 x 3 x 3 products) x 2
    by_hand = 32 * 32 * 64 * 27 * 2
    assert flops(nn.Conv2d(3, 64, 3, padding=1), "3,32,32") == [(by_hand,) * 3]


@pytest.mark.parametrize("groups", [1, 2, 8, 32])
def test_a_grouped_convolution_takes_as_much_for_each_gradient_as_forward(groups: int):
    # stride 2: 4 x 4 positions x 32 channels x (32 / groups) x 3 x 3 products x 2
    by_hand = 4 * 4 * 32 * (32 // groups) * 9 * 2
    assert flops(nn.Conv2d(32, 32, 3, stride=2, padding=1, groups=groups), "32,8,8") == [(by_hand,) * 3]


def test_a_grouped_transposed_convolution_counts_at_every_input_position():
    # 4 x 4 positions x 8 channels in x (4 / 2) channels out x 2 x 2 products x 2
    by_hand = 4 * 4 * 8 * 2 * 4 * 2
    assert flops(nn.ConvTranspose2d(8, 4, 2, stride=2, groups=2), "8,4,4") == [(by_hand,) * 3]


def test_attention_on_the_cpu_kernel_counts_both_products():
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.project = nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            heads = self.project(x).unflatten(-1, (2, 4)).transpose(1, 2)
            return nn.functional.scaled_dot_product_attention(heads, heads, heads)

    [(forward, _, weight)] = flops(Attention(), "16,8")
    # projection: 16 tokens x 8 x 8 x 2; attention: 2 heads x two products of 16 x 16 x 4, x 2
    assert forward == 16 * 64 * 2 + 2 * 2 * 16 * 16 * 4 * 2
    assert weight == 16 * 64 * 2


def test_an_lstm_counts_both_of_its_products_at_every_step():
    [(forward, input_gradient, weight_gradient)] = flops(nn.LSTM(8, 16, batch_first=True), "5,8")
    # 5 steps x 4 gates of 16 x (8 from the input + 16 from the state) x 2
    assert forward == 5 * 4 * 16 * (8 + 16) * 2
    assert input_gradient + weight_gradient == 2 * forward


def test_token_ids_have_no_input_gradient():
    assert flops(nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 3)), "7", dtype="int64") == [
        (0, 0, 0),
        (7 * 4 * 3 * 2,) * 3,
    ]


def test_a_frozen_start_costs_nothing_on_the_way_back():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.start = nn.Linear(10, 4)
            self.end = nn.Linear(4, 3)

        def forward(self, ids: torch.Tensor) -> Any:
            return self.end(self.start(nn.functional.one_hot(ids, 10).float()))

    assert flops(Net(), "", dtype="int64") == [(80, 0, 80), (24, 24, 24)]


def test_the_sums_are_those_of_pytorchs_counter_for_a_network_without_groups():
    network = vgg11()
    image = torch.randn(1, 3, 32, 32, requires_grad=True)
    with FlopCounterMode(display=False) as forward:
        scores = network(image)
    with FlopCounterMode(display=False) as back:
        scores.sum().backward()
    layers = flops(network, "3,32,32")
    assert sum(layer[0] for layer in layers) == forward.get_total_flops()
    assert sum(layer[1] + layer[2] for layer in layers) == back.get_total_flops()
