"""What has no guarantee is refused in one line, before anything is written."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("opacus")

import torch
from torch import nn

from edgeplan import extras
from edgeplan.errors import MissingExtraError, UsageError
from edgeplan.runtime.data.samples import read_samples
from edgeplan.runtime.learning.privacy.mechanism import Privacy, PrivacySettings, check_privacy
from edgeplan.runtime.learning.privacy.validation import check_private
from edgeplan.runtime.learning.training import Shard
from edgeplan.runtime.profiling import build


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (PrivacySettings(noise=0.0), "noise 0.0: must be finite and at least 0.1"),
        (PrivacySettings(noise=-1.0), "noise -1.0"),
        (PrivacySettings(noise=math.nan), "noise nan"),
        (PrivacySettings(noise=math.inf), "noise inf"),
        (PrivacySettings(noise=1.0, clip=0.0), "clip 0.0: must be above 0"),
        (PrivacySettings(noise=1.0, clip=math.inf), "clip inf"),
        (PrivacySettings(noise=1.0, delta=0.0), "delta 0.0: must be above 0"),
        (PrivacySettings(noise=1.0, delta=1.0), "delta 1.0"),
        (PrivacySettings(noise=1.0, noise_seed=-1), "noise_seed -1"),
        (PrivacySettings(clip=1.0), "clip 1.0: says nothing without noise"),
        (PrivacySettings(delta=1e-5), "delta 1e-05: says nothing without noise"),
        (PrivacySettings(noise_seed=3), "noise_seed 3: says nothing without noise"),
    ],
)
def test_a_setting_out_of_range_or_without_noise_is_refused(settings: PrivacySettings, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_privacy(settings)
    assert caught.value.message.startswith(told)
    assert len(caught.value.lines()) == 1


def test_settings_within_range_pass() -> None:
    check_privacy(PrivacySettings())
    check_privacy(PrivacySettings(noise=0.5, clip=0.1, delta=1e-6, noise_seed=0))


class Counting(nn.Module):
    """Keeps a running mean of what it has seen, without being a known normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(64))
        self.last = nn.Linear(64, 10)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        flat = inputs.flatten(1)
        if self.training:
            self.seen = 0.9 * self.seen + 0.1 * flat.detach().mean(dim=0)
        scores: torch.Tensor = self.last(flat - self.seen)
        return scores


def _normed() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 10))


def _check(network: nn.Module, privacy: Privacy | None = None, samples: int = 100) -> None:
    digits, _ = read_samples("digits", seed=0)
    one = Shard(digits.take(np.arange(1)), None)
    check_private(privacy or Privacy(1.0), network, one, {"pi": samples})


def _refusal(network: nn.Module, privacy: Privacy | None = None, samples: int = 100) -> str:
    with pytest.raises(UsageError) as caught:
        _check(network, privacy, samples)
    assert len(caught.value.lines()) == 1
    return caught.value.message


def test_a_batch_norm_is_refused_by_the_name_of_its_layer() -> None:
    told = _refusal(_normed())
    assert told.startswith(
        "noise: layer 1 (BatchNorm2d): BatchNorm cannot support training with differential"
    )
    assert _refusal(_normed().requires_grad_(False)) == told


def test_other_layers_that_opacus_refuses_are_named_too() -> None:
    network = nn.ModuleDict({"attention": nn.MultiheadAttention(4, 2)})
    assert _refusal(network).startswith("noise: layer attention (MultiheadAttention): ")


def test_a_buffer_that_changes_as_samples_pass_is_refused() -> None:
    assert _refusal(Counting()).startswith("noise: seen changes as samples pass")


def test_a_network_that_takes_no_single_sample_is_refused() -> None:
    network = nn.Sequential(nn.Flatten(0), nn.Linear(640, 10))
    assert _refusal(network).startswith("noise: the network does not train on one sample at a time (mat")


def test_without_noise_nothing_is_refused() -> None:
    digits, _ = read_samples("digits", seed=0)
    check_private(None, _normed(), Shard(digits, None), {"pi": 100})


@pytest.mark.parametrize("network", ["small-vgg", "digits-vgg"])
def test_networks_of_our_own_pass_and_stay_as_they_are(network: str) -> None:
    module = build(network)
    before = [parameter.detach().clone() for parameter in module.parameters()]
    _check(module)
    assert all(map(torch.equal, module.parameters(), before))


def test_the_transformer_of_characters_passes() -> None:
    topics, _ = read_samples("topics", seed=0)
    check_private(Privacy(1.0), build("char-transformer"), Shard(topics.take(np.arange(1)), None), {})


def test_a_delta_that_may_give_a_whole_sample_away_is_refused() -> None:
    network, privacy = build("small-vgg"), Privacy(1.0, delta=0.01)
    told = _refusal(network, privacy, samples=100)
    assert told.startswith("delta 0.01: must be below 1 / 100, the samples of pi")
    _check(network, privacy, samples=99)


def test_a_missing_library_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "is_installed", lambda name: name != "opacus")
    with pytest.raises(MissingExtraError) as caught:
        _check(build("small-vgg"))
    told = "edgeplan run --noise needs opacus, which is not installed: pip install 'edgeplan[privacy]'"
    assert str(caught.value) == told
