"""Steps of DP-SGD: clipping against other ways to the same sums, noise as stated, what stays untouched."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("opacus")

import torch
from opacus import GradSampleModule
from opacus.optimizers import DPOptimizer
from torch import nn
from torch.nn import functional

from edgeplan.runtime.data.samples import read_samples
from edgeplan.runtime.learning.objective import Distilling, Objective, cross_entropy
from edgeplan.runtime.learning.privacy.mechanism import Privacy
from edgeplan.runtime.learning.privacy.private_steps import PrivateSteps
from edgeplan.runtime.learning.privacy.randomness import random_source
from edgeplan.runtime.learning.training import Batch, Shard
from edgeplan.runtime.learning.workload import Workload, optimizer_for
from edgeplan.runtime.networks import char_transformer
from edgeplan.runtime.profiling import build

SILENT = 1e-12
"""A noise multiplier that changes nothing that is compared."""


def steps_with(noise: float = SILENT, clip: float = 1.0, batch_size: int = 8, seed: int = 0) -> PrivateSteps:
    return PrivateSteps.of(Privacy(noise, clip, seed=seed), batch_size, stream=(1, 2))


def images(size: int) -> Batch:
    digits, _ = read_samples("digits", seed=0)
    return Shard(digits, None).batches(seed=0, node=0, visit=0, batch_size=size, steps=1)[0]


def moved(
    steps: PrivateSteps, module: nn.Module, batch: Batch, objective: Objective = cross_entropy
) -> dict[str, torch.Tensor]:
    """What one step of SGD with learning rate 1 takes away from each parameter."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    before = {name: parameter.detach().clone() for name, parameter in module.named_parameters()}
    steps.train(module, torch.optim.SGD(trained, lr=1.0), [batch], objective)
    return {name: before[name] - parameter.detach() for name, parameter in module.named_parameters()}


def clipped_by_hand(
    module: nn.Module, batch: Batch, clip: float, divided_by: int
) -> tuple[dict[str, torch.Tensor], list[float]]:
    """The sum of clipped gradients of samples, and their norms, all by NumPy's sums in double precision."""
    names = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
    total = {name: np.zeros(module.get_parameter(name).shape) for name in names}
    norms = []
    for one, target in zip(*batch, strict=True):
        loss = functional.cross_entropy(module(one[None]).flatten(0, -2), target[None].flatten())
        gradients = torch.autograd.grad(loss, [module.get_parameter(name) for name in names])
        plain = [gradient.double().numpy() for gradient in gradients]
        norms.append(math.sqrt(sum(float((gradient**2).sum()) for gradient in plain)))
        for name, gradient in zip(names, plain, strict=True):
            total[name] += gradient * min(1.0, clip / norms[-1])
    return {name: torch.from_numpy(one / divided_by).float() for name, one in total.items()}, norms


def assert_equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("clip", [0.2, 4.0, 1e6])
def test_gradients_of_samples_are_clipped_as_by_hand(clip: float) -> None:
    network, batch = build("small-vgg"), images(8)
    expected, norms = clipped_by_hand(network, batch, clip, divided_by=8)
    assert {0.2: all, 4.0: any, 1e6: lambda some: not any(some)}[clip](norm > clip for norm in norms)
    assert_equal(moved(steps_with(clip=clip), network, batch), expected)


def test_the_sum_is_divided_by_the_expected_samples_however_many_there_are() -> None:
    network, batch = build("small-vgg"), images(5)
    expected, _ = clipped_by_hand(network, batch, clip=0.5, divided_by=20)
    assert_equal(moved(steps_with(clip=0.5, batch_size=20), network, batch), expected)


@pytest.mark.filterwarnings("ignore:Full backward hook:UserWarning")
def test_opacus_own_gradients_of_samples_lead_to_the_same_step() -> None:
    (inputs, targets), theirs, ours = images(8), build("small-vgg"), build("small-vgg")
    inputs = inputs.clone(memory_format=torch.contiguous_format)  # channels last, its convolutions get zeros
    wrapped = GradSampleModule(theirs)
    optimizer = DPOptimizer(
        torch.optim.SGD(wrapped.parameters(), lr=1.0),
        noise_multiplier=0.0,
        max_grad_norm=0.5,
        expected_batch_size=8,
    )
    before = {name: parameter.detach().clone() for name, parameter in ours.named_parameters()}
    functional.cross_entropy(wrapped(inputs), targets).backward()
    optimizer.step()
    expected = {name: before[name] - parameter.detach() for name, parameter in theirs.named_parameters()}
    assert_equal(moved(steps_with(clip=0.5), ours, (inputs, targets)), expected)


@pytest.mark.parametrize("length", [3, 10])
def test_a_window_of_text_is_one_sample_though_places_have_embeddings_without_samples(length: int) -> None:
    torch.manual_seed(0)
    network = char_transformer(width=16, blocks=1, heads=2)
    codes = torch.randint(128, (3, length + 1))
    batch = codes[:, :-1], codes[:, 1:]
    expected, norms = clipped_by_hand(network, batch, clip=0.5, divided_by=8)
    assert min(norms) > 0.5
    assert_equal(moved(steps_with(clip=0.5), network, batch), expected)


def test_a_teacher_speaks_to_each_sample_alone() -> None:
    workload, batch = Workload(build("small-vgg")), images(4)
    trained = workload.train_only(["features.7", "classifier"])
    teacher = Distilling(workload.module, weight=0.7, temperature=2.0)
    with torch.no_grad():
        for parameter in trained:
            parameter.add_(0.05 * torch.sign(parameter))
    expected = [torch.zeros_like(parameter) for parameter in trained]
    for one, target in zip(*batch, strict=True):
        loss = teacher(workload.module, one[None], target[None])
        gradients = torch.autograd.grad(loss, trained)
        norm = math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients))
        for total, gradient in zip(expected, gradients, strict=True):
            total.add_(gradient, alpha=min(1.0, 0.3 / norm) / 8)
    names = [name for name, one in workload.module.named_parameters() if one.requires_grad]
    found = moved(steps_with(clip=0.3), workload.module, batch, teacher)
    assert_equal(found, dict(zip(names, expected, strict=True)))


def test_frozen_layers_get_no_gradients_and_keep_every_bit() -> None:
    workload = Workload(build("small-vgg"))
    workload.train_only(["features.5"])
    found = moved(steps_with(noise=1.0), workload.module, images(4))
    for name, parameter in workload.module.named_parameters():
        if name.startswith("features.5"):
            assert found[name].abs().max() > 0
        else:
            assert parameter.grad is None
            assert not hasattr(parameter, "grad_sample")
            assert not found[name].any()


class Zero(nn.Module):
    """Its answer has no gradient, so all that moves it is noise."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(200, 500))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs + 0.0 * self.weight.sum()


def _noise_of(batch: Batch, seed: int = 0) -> torch.Tensor:
    steps = PrivateSteps.of(Privacy(1.5, clip=2.0, seed=seed), 10, stream=())
    return moved(steps, Zero(), batch)["weight"].flatten()


@pytest.mark.parametrize("size", [0, 1, 6])
def test_noise_has_the_deviation_of_multiplier_times_clip_over_expected_samples(size: int) -> None:
    noise = _noise_of((torch.zeros(size, 3), torch.zeros(size, dtype=torch.long)))
    deviation = 1.5 * 2.0 / 10
    error = 4 / math.sqrt(noise.numel())
    assert noise.std().item() == pytest.approx(deviation, rel=error / math.sqrt(2))
    assert abs(noise.mean().item()) < error * deviation
    kurtosis = (noise / deviation).pow(4).mean().item()
    assert kurtosis == pytest.approx(3.0, abs=4 * math.sqrt(96 / noise.numel()))


def test_other_seeds_give_other_noise_and_the_same_seed_the_same() -> None:
    batch = torch.zeros(0, 3), torch.zeros(0, dtype=torch.long)
    first, again, other = (_noise_of(batch, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert abs(torch.corrcoef(torch.stack([first, other]))[0, 1].item()) < 0.02


@pytest.mark.parametrize("optimizer_bytes", [0, 4, 8])
def test_an_empty_batch_is_a_step_of_noise(optimizer_bytes: int) -> None:
    workload = Workload(build("small-vgg"))
    trained = workload.train_only(["classifier"])
    before = [parameter.detach().clone() for parameter in trained]
    optimizer = optimizer_for(trained, optimizer_bytes, 0.1)
    inputs, targets = images(1)
    loss = steps_with(noise=1.0).train(workload.module, optimizer, [(inputs[:0], targets[:0])])
    assert math.isnan(loss)
    assert all(not torch.equal(parameter, old) for parameter, old in zip(trained, before, strict=True))
    assert all(parameter.isfinite().all() for parameter in trained)


def test_a_sample_whose_gradient_is_no_number_moves_nothing() -> None:
    network, (inputs, targets) = build("small-vgg"), images(4)
    expected, _ = clipped_by_hand(network, (inputs[:3], targets[:3]), clip=1.0, divided_by=8)
    spoilt = torch.cat([inputs[:3], torch.full_like(inputs[:1], math.nan)])
    assert_equal(moved(steps_with(), network, (spoilt, targets)), expected)


def test_nothing_is_trained_without_an_optimizer() -> None:
    network, batch = build("small-vgg"), images(2)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    steps_with(noise=1.0).train(network, None, [batch])
    assert all(map(torch.equal, network.parameters(), before))


def _shard(size: int) -> Shard:
    digits, _ = read_samples("digits", seed=0)
    return Shard(digits.take(np.arange(size)), None)


def _sizes(batches: Sequence[Batch]) -> torch.Tensor:
    return torch.tensor([float(len(targets)) for _, targets in batches])


def test_every_sample_takes_part_with_its_rate_independently_of_the_others() -> None:
    sizes = _sizes(steps_with(batch_size=16).batches(_shard(100), steps=4000))
    spread = math.sqrt(100 * 0.16 * 0.84)
    assert sizes.mean().item() == pytest.approx(16.0, abs=4 * spread / math.sqrt(4000))
    assert sizes.std().item() == pytest.approx(spread, rel=4 / math.sqrt(2 * 4000))


def test_small_shards_give_empty_batches_now_and_then() -> None:
    batches = steps_with(batch_size=1).batches(_shard(4), steps=400)
    assert (_sizes(batches) == 0).float().mean().item() == pytest.approx(0.75**4, abs=0.1)
    assert batches[0][0].shape[1:] == (1, 8, 8)


def test_a_batch_of_the_whole_shard_takes_all_of_it() -> None:
    assert _sizes(steps_with(batch_size=7).batches(_shard(7), steps=5)).tolist() == [7.0] * 5


def test_the_generator_goes_on_as_numpy_s_with_all_its_words() -> None:
    words = np.random.MT19937(np.random.SeedSequence([5])).random_raw(1001)[1:]  # it begins at its last word
    drawn = torch.empty(1000, dtype=torch.int32).random_(generator=random_source([5]))
    assert drawn.tolist() == (words % 2**31).tolist()


def test_pytorch_s_own_seeds_have_32_bits_and_ours_more() -> None:
    same = [torch.rand(3, generator=torch.Generator().manual_seed(seed)) for seed in (7, 7 + 2**32)]
    assert torch.equal(*same)
    ours = [torch.rand(3, generator=random_source([seed])) for seed in (7, 7 + 2**32)]
    assert not torch.equal(*ours)
