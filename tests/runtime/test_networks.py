"""Our own networks: sizes by hand, and that the small one learns."""

from __future__ import annotations

import torch
from torch import nn

from edgeplan.runtime.networks import small_vgg, vgg11
from edgeplan.runtime.profiling.trial import threads_limited


def test_vgg11_gives_ten_scores_for_a_cifar_image():
    assert vgg11()(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_vgg11_takes_other_classes_and_channels():
    assert vgg11(num_classes=7, in_channels=1)(torch.zeros(1, 1, 32, 32)).shape == (1, 7)


def test_small_vgg_gives_ten_scores_for_a_digit():
    assert small_vgg()(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_a_network_is_a_chain_whose_modules_in_turn_give_its_output():
    torch.manual_seed(0)
    network = small_vgg()
    image = torch.randn(3, 1, 8, 8)
    features = network.get_submodule("features")
    assert isinstance(features, nn.Sequential)
    step_by_step = image
    for module in features:
        step_by_step = module(step_by_step)
    scores = network.get_submodule("classifier")(step_by_step.flatten(1))
    torch.testing.assert_close(scores, network(image))


def test_small_vgg_learns_the_digits():
    from sklearn.datasets import load_digits

    torch.manual_seed(0)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(digits.target)
    network = small_vgg()
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    with threads_limited(1):
        for batch in torch.randperm(1500)[: 40 * 32].split(32):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(images[batch]), labels[batch]).backward()
            optimiser.step()
    accuracy = (network(images[1500:]).argmax(1) == labels[1500:]).float().mean()
    assert accuracy > 0.8
