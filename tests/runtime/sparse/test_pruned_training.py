"""Whole networks: the same outputs and gradients as eager autograd, training, and slices."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

pytest.importorskip("torch")

import torch
from pruned_networks import Case, backward, chain, mobilenet, random_ratios, scores
from torch import nn
from torch.testing import assert_close

from edgeplan.runtime.sparse import PrunedNetwork, TrainableLayer, num_channels, prune

RATIOS = {"0": 0.5, "3": 0.25, "6": 1.0, "9": 0.1, "12": 0.4}


def assert_same_gradients(case: Case, depth: int, ratios: dict[str, float], tolerance: float) -> None:
    network = case.prune(depth, ratios)
    case.train_eagerly(depth, ratios)
    assert_close(backward(network.module, case.batch), backward(case.module, case.batch), rtol=0, atol=0)
    for position, layer in enumerate(case.layers):
        sliced, ratio = network.layers[layer.name], ratios.get(layer.name, 0.0)
        is_reached = position >= len(case.layers) - depth
        assert (sliced.trained_bias is not None) == is_reached
        assert (sliced.kept is not None) == (ratio > 0)
        if sliced.trained_bias is not None:
            assert_close(sliced.trained_bias.grad, case.bias(layer).grad, rtol=tolerance, atol=tolerance)
        if sliced.kept is not None:
            expected = case.part_of_gradient(layer, ratio)
            assert_close(sliced.kept.grad, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("depth", range(6))
def test_a_chain_has_the_gradients_of_eager_autograd(depth: int) -> None:
    case = chain(torch.float64)
    reached = {layer.name for layer in case.layers[len(case.layers) - depth :]}
    ratios = {name: ratio for name, ratio in RATIOS.items() if name in reached}
    if depth:
        assert_same_gradients(case, depth, ratios, 1e-10)
    else:
        assert not scores(case.prune(0, {}).module, case.batch).requires_grad


@pytest.mark.parametrize(("depth", "seed"), [(1, 0), (16, 1), (30, 2), (53, 3)])
def test_mobilenet_has_the_gradients_of_eager_autograd(depth: int, seed: int) -> None:
    case = mobilenet(dtype=torch.float64)
    assert len(case.layers) == 53
    assert_same_gradients(case, depth, random_ratios(case.layers, depth, seed), 1e-9)


def test_mobilenet_agrees_in_single_precision_too() -> None:
    case = mobilenet(image_size=48)
    network = case.prune(25, random_ratios(case.layers, 25, seed=4))
    assert torch.equal(scores(network.module, case.batch), scores(case.module, case.batch))


def test_the_network_given_is_not_changed() -> None:
    case = chain()
    before = copy.deepcopy(case.module.state_dict())
    network = case.prune(5, RATIOS)
    train(case, network, steps=2)
    assert_close(case.module.state_dict(), before, rtol=0, atol=0)


def train(case: Case, network: PrunedNetwork, steps: int) -> None:
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        backward(network.module, case.batch)
        optimizer.step()
        network.write_back()


@pytest.mark.parametrize("make", [chain, mobilenet])
def test_training_ends_where_eager_training_with_masked_gradients_ends(make: Callable[..., Case]) -> None:
    case = make(dtype=torch.float64)
    depth = 5 if make is chain else 20
    ratios = RATIOS if make is chain else random_ratios(case.layers, depth, seed=5)
    network, eager = case.prune(depth, ratios), copy.deepcopy(case)
    train(case, network, steps=3)
    eager.train_eagerly(depth, ratios)
    optimizer = torch.optim.SGD(
        [parameter for parameter in eager.module.parameters() if parameter.requires_grad],
        lr=0.05,
        momentum=0.9,
    )
    for _ in range(3):
        optimizer.zero_grad()
        backward(eager.module, eager.batch)
        for layer in eager.layers:
            freeze_others(eager, layer.name, ratios.get(layer.name, 0.0))
        optimizer.step()
    assert_close(network.state_dict(), dict(eager.module.state_dict()), rtol=1e-8, atol=1e-10)


def freeze_others(case: Case, name: str, ratio: float) -> None:
    """Take the gradients of channels away that are not trained."""
    layer = next(layer for layer in case.layers if layer.name == name)
    gradient = case.weight(layer).grad
    if gradient is not None:
        frozen = case.orders[name][num_channels(ratio, layer.in_channels) :]
        is_depthwise = layer.in_channels > 1 and gradient.shape[1] == 1
        gradient.index_fill_(0 if is_depthwise else 1, frozen, 0.0)


def test_what_is_written_back_counts_in_the_next_pass() -> None:
    case = chain()
    network = case.prune(5, {"6": 0.5})
    before = scores(network.module, case.batch).detach()
    kept = network.layers["6"].kept
    assert kept is not None
    kept.data.add_(1.0)
    assert torch.equal(scores(network.module, case.batch), before)
    network.write_back()
    loaded = copy.deepcopy(case.module)
    loaded.load_state_dict(network.state_dict())
    after = scores(network.module, case.batch)
    assert not torch.equal(after, before)
    assert torch.equal(after, scores(loaded, case.batch))


def test_writing_back_before_the_backward_pass_is_noticed() -> None:
    case = chain()
    network = case.prune(5, RATIOS)
    result = scores(network.module, case.batch)
    network.write_back()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.sum().backward()


@pytest.mark.parametrize("name", RATIOS)
def test_a_slice_read_on_one_device_and_written_on_another_is_the_same_there(name: str) -> None:
    sender, receiver = chain().prune(5, RATIOS), chain().prune(0, {})
    layer = next(layer for layer in chain().layers if layer.name == name)
    with torch.no_grad():
        for leaf in sender.parameters():
            leaf.normal_()
    sender.write_back()
    for start, stop in ((0.0, 0.25), (0.25, 0.7), (0.7, 1.0)):
        values = sender.layers[name].read_weights(start, stop)
        assert values.numel() == layer.parameters(stop) - layer.parameters(start)
        receiver.layers[name].write_weights(start, stop, values)
    receiver.layers[name].write_bias(sender.layers[name].read_bias())
    assert torch.equal(
        receiver.layers[name].read_weights(0.0, 1.0), sender.layers[name].read_weights(0.0, 1.0)
    )
    norm_or_self = layer.norm or name
    for parameter in (f"{name}.weight", f"{norm_or_self}.bias"):
        assert torch.equal(receiver.state_dict()[parameter], sender.state_dict()[parameter])


@pytest.mark.parametrize("name", RATIOS)
def test_a_slice_written_over_trained_weights_is_trained_on_from_there(name: str) -> None:
    network = chain().prune(5, RATIOS)
    layer = network.layers[name]
    layer.write_weights(0.0, 1.0, torch.arange(float(layer.read_weights(0.0, 1.0).numel())))
    before = layer.read_weights(0.0, 1.0)
    network.write_back()
    assert torch.equal(layer.read_weights(0.0, 1.0), before)
    assert layer.kept is not None
    assert torch.equal(layer.kept.flatten(), layer.read_weights(0.0, RATIOS[name]))


def test_the_first_slice_is_that_of_the_most_important_channels() -> None:
    case = chain()
    network = case.prune(5, RATIOS)
    most_important = case.orders["6"][:2]
    expected = case.module.get_parameter("6.weight")[:, most_important].flatten()
    assert torch.equal(network.layers["6"].read_weights(0.0, 0.25), expected)


def test_a_layer_without_a_bias_has_an_empty_bias_slice() -> None:
    module = nn.Sequential(nn.Linear(4, 3, bias=False))
    layers = [TrainableLayer("0")]
    network = prune(module, layers, depth=1, ratios={"0": 1.0}, orders={"0": torch.arange(4)})
    assert network.layers["0"].read_bias().shape == (0,)
    network.layers["0"].write_bias(torch.empty(0))
    assert [tuple(leaf.shape) for leaf in network.parameters()] == [(3, 4)]


def test_the_state_has_the_names_and_values_of_the_original() -> None:
    case = mobilenet()
    network = case.prune(20, random_ratios(case.layers, 20, seed=6))
    state, original = network.state_dict(), case.module.state_dict()
    assert list(state) == list(original)
    assert_close(state, dict(original), rtol=0, atol=0)


def test_batch_norms_stay_frozen_and_dropout_stays_in_training_mode() -> None:
    case = chain()
    module = case.prune(5, RATIOS).module.train()
    torch.manual_seed(0)
    first, second = scores(module, case.batch), scores(module, case.batch)
    assert not torch.equal(first, second)
    assert torch.equal(scores(module.eval(), case.batch), scores(case.module, case.batch))


def test_a_module_under_two_names_stays_one() -> None:
    shared = nn.ReLU6()
    module = nn.Sequential(nn.Linear(4, 4), shared, nn.Linear(4, 4), shared)
    layers = [TrainableLayer("0"), TrainableLayer("2")]
    orders = {name: torch.arange(4) for name in ("0", "2")}
    pruned = prune(module, layers, depth=2, ratios={}, orders=orders).module
    assert pruned.get_submodule("1") is pruned.get_submodule("3")
    assert type(pruned.get_submodule("1")) is not nn.ReLU6
