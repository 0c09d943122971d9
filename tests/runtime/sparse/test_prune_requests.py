"""Updates that do not fit the network are refused, all faults at once."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from pruned_networks import chain
from torch import nn

from edgeplan.errors import UsageError
from edgeplan.runtime.sparse import TrainableLayer, prune

MODULE = nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6), nn.Conv2d(6, 5, 3), nn.ReLU())
GOOD: dict[str, Any] = {
    "layers": [TrainableLayer("2")],
    "depth": 1,
    "ratios": {"2": 0.5},
    "orders": {"2": torch.arange(6)},
}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"depth": 2}, "depth 2: must be between 0 and the 1 layers"),
        ({"layers": [TrainableLayer("2"), TrainableLayer("2")]}, "layer '2': is listed twice"),
        ({"layers": [TrainableLayer("3")]}, "layer '3': must name an nn.Conv2d or an nn.Linear"),
        ({"layers": [TrainableLayer("head")]}, "layer 'head': must name"),
        ({"layers": [TrainableLayer("")]}, "layer '': must name"),
        ({"layers": [TrainableLayer("0")]}, "layer '0': 2 groups of 4 channels"),
        ({"layers": [TrainableLayer("2", norm="3")]}, "norm '3': must name a batch norm"),
        ({"layers": [TrainableLayer("2", norm="1")]}, "norm '1': must have as many features .* outputs, 5"),
        ({"orders": {}}, "order of layer '2': must hold each of the 6 input channels once"),
        ({"orders": {"2": torch.zeros(6, dtype=torch.int64)}}, "order of layer '2'"),
        ({"orders": {"2": torch.arange(6.0)}}, "order of layer '2'"),
        ({"ratios": {"2": 1.5}}, "ratio of layer '2': 1.5 must be between 0 and 1"),
        ({"ratios": {"0": 0.5}}, "ratio of layer '0': 0.5; must be a layer among the last 1"),
        ({"depth": 0}, "ratio of layer '2': 0.5; must be a layer among the last 0"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        prune(MODULE, **{**GOOD, **changed})


def test_what_fits_is_taken_and_grouped_convolutions_stay_frozen() -> None:
    network = prune(MODULE, **GOOD)
    batch = torch.randn(1, 4, 7, 7, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network.module(batch), MODULE.eval()(batch))


def test_all_faults_come_together() -> None:
    with pytest.raises(UsageError) as raised:
        prune(MODULE, **{**GOOD, "depth": 7, "ratios": {"x": 2.0}, "orders": {}})
    assert str(raised.value).count(";") == 4


def test_a_ratio_of_nothing_may_name_any_layer() -> None:
    assert len(chain().prune(1, {"0": 0.0}).parameters()) == 1
