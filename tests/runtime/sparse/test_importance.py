"""Importance: squared gradients by channel, against gradients taken one by one."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import pytest
import torch
from pruned_networks import Case, chain
from tiny_workloads import tiny_workload
from torch import Tensor
from torch.testing import assert_close

from edgeplan.runtime.sparse import num_channels
from edgeplan.runtime.sparse.workload import Importance, importance_of
from edgeplan.runtime.sparse.workload.scoring import loss_of

Batch = tuple[Tensor, Tensor]


def batches() -> list[Batch]:
    generator = torch.Generator().manual_seed(0)
    return [
        (torch.randn(4, 3, 13, 13, dtype=torch.float64, generator=generator), torch.tensor([0, 1, 2, 3]))
        for _ in range(3)
    ]


def squares_of_part(case: Case, name: str, channels: Sequence[int]) -> float:
    """Mean over batches of the squared gradient of the weights that read these channels."""
    layer = next(layer for layer in case.layers if layer.name == name)
    total = 0.0
    for batch in batches():
        case.module.zero_grad()
        loss_of(case.module, batch).backward()
        gradient = case.weight(layer).grad
        assert gradient is not None
        part = gradient[list(channels)] if name == "3" else gradient[:, list(channels)]
        total += float((part**2).sum())
    return total / len(batches())


@pytest.mark.parametrize("name", ["0", "3", "6", "9", "12"])
@pytest.mark.parametrize("ratio", [0.125, 0.5, 1.0])
def test_a_part_is_worth_the_squared_gradients_of_its_channels(name: str, ratio: float) -> None:
    case = copy.deepcopy(chain(torch.float64))
    importance = importance_of(case.module, case.layers, batches())
    order = importance.orders()[name].tolist()
    chosen = order[: num_channels(ratio, len(order))]
    assert importance.of_weights(name, ratio) == pytest.approx(squares_of_part(case, name, chosen))


def test_a_step_lowers_the_loss_by_its_rate_times_the_importance() -> None:
    case = chain(torch.float64)
    (batch, *_), rate = batches(), 1e-5
    importance = importance_of(case.module, case.layers, [batch])
    stepped = copy.deepcopy(case)
    before = loss_of(stepped.module, batch)
    before.backward()
    weight = stepped.weight(next(layer for layer in case.layers if layer.name == "6"))
    assert weight.grad is not None
    weight.data.sub_(rate * weight.grad)
    fall = before.item() - loss_of(stepped.module, batch).item()
    assert fall == pytest.approx(rate * importance.of_weights("6", 1.0), rel=1e-2)


def test_biases_are_those_of_the_batch_norm_where_there_is_one() -> None:
    case = copy.deepcopy(chain(torch.float64))
    importance = importance_of(case.module, case.layers, batches()[:1])
    loss_of(case.module, batches()[0]).backward()
    for layer in case.layers:
        gradient = case.bias(layer).grad
        assert gradient is not None
        assert importance.biases[layer.name] == pytest.approx(float((gradient**2).sum()))


def test_the_most_important_channels_come_first_and_of_equal_ones_the_earlier() -> None:
    importance = Importance({"a": torch.tensor([2.0, 7.0, 2.0, 9.0])}, {"a": 0.0})
    assert importance.orders()["a"].tolist() == [3, 1, 0, 2]


def test_the_module_is_not_changed() -> None:
    case = chain(torch.float64)
    before = copy.deepcopy(case.module.state_dict())
    importance_of(case.module, case.layers, batches())
    assert_close(case.module.state_dict(), before, rtol=0, atol=0)
    assert all(parameter.requires_grad for parameter in case.module.parameters())


def test_a_workload_orders_every_channel_of_every_layer() -> None:
    workload = tiny_workload()
    orders = workload.orders()
    for layer in workload.layers(2):
        assert sorted(orders[layer.name].tolist()) == list(range(layer.in_channels))
        assert orders[layer.name].dtype == torch.int64
