"""Networks to prune, random updates of them, and their eager twins."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor, nn

from edgeplan.runtime.sparse import PrunedNetwork, TracedLayer, num_channels, prune, traced_layers


@dataclass(frozen=True)
class Case:
    """A network in evaluation mode, a batch, and the layers that it goes through."""

    module: nn.Module
    batch: Tensor
    layers: list[TracedLayer]
    orders: dict[str, Tensor]

    def prune(self, depth: int, ratios: dict[str, float]) -> PrunedNetwork:
        return prune(self.module, self.layers, depth=depth, ratios=ratios, orders=self.orders)

    def train_eagerly(self, depth: int, ratios: dict[str, float]) -> None:
        """Let the eager network train the same biases, and the whole weights of which a part is trained."""
        self.module.requires_grad_(False).zero_grad()
        for layer in self.layers[len(self.layers) - depth :]:
            self.bias(layer).requires_grad_(True)
            self.weight(layer).requires_grad_(ratios.get(layer.name, 0.0) > 0)

    def weight(self, layer: TracedLayer) -> nn.Parameter:
        return self.module.get_parameter(f"{layer.name}.weight")

    def bias(self, layer: TracedLayer) -> nn.Parameter:
        return self.module.get_parameter(f"{layer.norm or layer.name}.bias")

    def part_of_gradient(self, layer: TracedLayer, ratio: float) -> Tensor:
        """What of the eager gradient belongs to the trained weights."""
        gradient = self.weight(layer).grad
        assert gradient is not None
        channels = self.orders[layer.name][: num_channels(ratio, layer.in_channels)]
        is_depthwise = layer.in_channels > 1 and gradient.shape[1] == 1
        return gradient[channels] if is_depthwise else gradient[:, channels]


def case_of(module: nn.Module, batch: Tensor, seed: int = 0) -> Case:
    generator = torch.Generator().manual_seed(seed)
    _unsettle(module, generator)
    layers = traced_layers(module, batch)
    orders = {layer.name: torch.randperm(layer.in_channels, generator=generator) for layer in layers}
    return Case(module.eval(), batch, layers, orders)


def _unsettle(module: nn.Module, generator: torch.Generator) -> None:
    """Give batch norms statistics and weights that are neither 0 nor 1."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for tensor in (norm.running_var, norm.weight, norm.running_mean, norm.bias):
                assert tensor is not None
                tensor.data.copy_(torch.rand(len(tensor), generator=generator) + 0.5)


@cache
def mobilenet(image_size: int = 32, batch_size: int = 4, dtype: torch.dtype = torch.float32) -> Case:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(1)
    configuration = transformers.MobileNetV2Config(
        depth_multiplier=0.35, image_size=image_size, num_labels=10
    )
    module = transformers.MobileNetV2ForImageClassification(configuration).to(dtype)
    return case_of(module, torch.randn(batch_size, 3, image_size, image_size, dtype=dtype))


def chain(dtype: torch.dtype = torch.float32) -> Case:
    """Ordinary and depth-wise convolutions, with a norm, with a bias, with both, and two linear layers."""
    torch.manual_seed(2)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU6(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 5, 3, padding=(0, 1)),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(5 * 5 * 7, 9),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(9, 4),
    ).to(dtype)
    return case_of(module, torch.randn(3, 3, 13, 13, dtype=dtype))


def random_ratios(layers: Sequence[TracedLayer], depth: int, seed: int) -> dict[str, float]:
    """Shares for about half of the layers reached."""
    draw = random.Random(seed)
    reached = layers[len(layers) - depth :]
    return {layer.name: draw.choice((0.1, 0.25, 0.5, 1.0)) for layer in reached if draw.random() < 0.5}


def scores(module: nn.Module, batch: Tensor) -> Tensor:
    output = module(batch)
    result: Tensor = getattr(output, "logits", output)
    return result


def backward(module: nn.Module, batch: Tensor) -> Tensor:
    """Run forward and back from a sum that weighs every score differently."""
    result = scores(module, batch)
    (result * torch.linspace(-1, 2, result.numel(), dtype=result.dtype).view_as(result)).sum().backward()
    return result.detach()
