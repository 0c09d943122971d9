"""Measured memory of updates, and updates to measure."""

from __future__ import annotations

import random
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from pruned_networks import Case, case_of, random_ratios
from torch import nn
from torch.nn import functional

from edgeplan.runtime.learning.memory import LiveTensors
from edgeplan.runtime.sparse.workload import scores_of


def with_other_modules() -> Case:
    """Modules that have no pruned form keep what they like."""
    torch.manual_seed(3)
    module = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.GELU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 16, 3, groups=16),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(16 * 16, 5),
    )
    return case_of(module, torch.randn(6, 3, 12, 12))


def measured_bytes(case: Case, depth: int, ratios: dict[str, float], momentum: float) -> int:
    """Peak over two steps on real tensors; a momentum exists from the second on."""
    network = case.prune(depth, ratios)
    trained, labels = network.parameters(), torch.zeros(len(case.batch), dtype=torch.int64)
    optimizer = torch.optim.SGD(trained, lr=1e-4, momentum=momentum) if trained else None
    existing: list[Any] = [*network.module.parameters(), *network.module.buffers(), *case.orders.values()]
    with LiveTensors([*existing, case.batch, labels]) as live:
        for _ in range(2):
            loss = functional.cross_entropy(scores_of(network.module(case.batch)), labels)
            if optimizer is not None:
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                network.write_back()
            del loss
    return int(live.peak_bytes)


def random_updates(case: Case, count: int) -> list[tuple[int, dict[str, float]]]:
    draw = random.Random(0)
    depths = [draw.randint(1, len(case.layers)) for _ in range(count)]
    everything = {layer.name: 1.0 for layer in case.layers}
    return [
        (0, {}),
        (len(case.layers), {}),
        (len(case.layers), everything),
        *((depth, random_ratios(case.layers, depth, seed)) for seed, depth in enumerate(depths)),
    ]
