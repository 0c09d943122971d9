"""Measured seconds: their form, their sense, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from edgeplan.errors import UsageError
from edgeplan.runtime.profiling import build, building, measure, measuring, profile, weighed


def test_every_layer_of_the_section_has_its_seconds():
    timings = measure("small-vgg", repeats=2)
    assert list(timings) == [layer["name"] for layer in profile("small-vgg")["layers"]]
    assert all(seconds > 0 for entry in timings.values() for seconds in entry.values())


def test_a_layer_with_a_thousand_times_the_work_takes_longer():
    network = nn.Sequential(nn.Linear(16, 1024), nn.Linear(1024, 1024), nn.Linear(1024, 1))
    timings = measure(network, input_shapes=["16"], batch_size=64, repeats=3)
    assert timings["1"]["forward_s"] > timings["2"]["forward_s"]
    assert timings["1"]["backward_s"] > timings["2"]["backward_s"]


def test_weighed_flops_are_as_many_and_share_the_seconds():
    section = profile("small-vgg")
    timings = measure("small-vgg", repeats=1, split=True)
    layers = weighed(section, timings)["layers"]
    kinds = ("forward", "input_gradient", "weight_gradient")
    total = sum(layer[f"{kind}_flops"] for layer in layers for kind in kinds)
    counted = sum(layer[f"{kind}_flops"] for layer in section["layers"] for kind in kinds)
    assert abs(total - counted) <= 3 * len(layers)
    first, last = layers[0], layers[-1]
    seconds = timings[last["name"]]["forward_s"] / timings[first["name"]]["forward_s"]
    assert last["forward_flops"] / first["forward_flops"] == pytest.approx(seconds, rel=0.01)
    assert first["saved_bytes"] == section["layers"][0]["saved_bytes"]


def test_split_seconds_tell_the_two_gradients_apart(monkeypatch: pytest.MonkeyPatch):
    class Slow(torch.autograd.Function):
        """Takes 1 s forward, 10 s for the gradient of its input and 100 s for that of its weight."""

        now_s = 0.0

        @classmethod
        def clock(cls) -> float:
            return cls.now_s

        @staticmethod
        def forward(ctx: Any, inputs: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
            Slow.now_s += 1
            return inputs * weight

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
            needs_input, needs_weight = ctx.needs_input_grad
            Slow.now_s += 10 * needs_input + 100 * needs_weight
            return gradient if needs_input else None, gradient.sum(0) if needs_weight else None

    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            outputs: torch.Tensor = Slow.apply(x, self.weight)
            return outputs

    monkeypatch.setattr(measuring, "perf_counter", Slow.clock)
    network = nn.Sequential(Scale(), Scale())
    timings = measure(network, input_shapes=["4"], batch_size=2, repeats=3, split=True)
    apart = {"forward_s": 0.5, "input_gradient_s": 5.0, "weight_gradient_s": 50.0}
    assert timings == {"0": apart, "1": apart}
    together = measure(network, input_shapes=["4"], batch_size=2, repeats=3)
    # the network's own input needs no gradient in training
    assert together["0"] == {"forward_s": 0.5, "backward_s": 50.0}
    assert together["1"] == {"forward_s": 0.5, "backward_s": 55.0}


def test_a_layer_that_never_runs_takes_no_time():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unused, self.used = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.used(x)

    assert measure(Net(), input_shapes=["4"], repeats=1)["unused"] == {"forward_s": 0, "backward_s": 0}


def test_the_module_and_the_threads_are_left_as_they_were():
    module, threads = nn.Sequential(nn.Linear(4, 4)), torch.get_num_threads()
    measure(module, input_shapes=["4"], repeats=1, threads=1)
    assert torch.get_num_threads() == threads
    assert module[0].weight.grad is None
    assert not module[0]._forward_pre_hooks


def test_progress_is_told_after_each_pass():
    told: list[tuple[int, int]] = []
    measure("small-vgg", repeats=1, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("setting", ["repeats", "threads", "batch_size"])
def test_settings_below_one_are_refused(setting: str):
    with pytest.raises(UsageError, match=r"0: must be at least 1"):
        measure("small-vgg", **{setting: 0})  # type: ignore[arg-type]


def test_what_does_not_fit_into_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    memory = tmp_path / "meminfo"
    memory.write_text("MemTotal: 100 kB\nMemAvailable: 500 kB\n")
    monkeypatch.setattr(building, "MEMORY_FILE", memory)
    # small-vgg: 95242 parameters of 4 bytes fit into 500 kB, with gradients they do not
    assert build("small-vgg").training
    with pytest.raises(UsageError, match="small-vgg: its parameters"):
        measure("small-vgg")
    with pytest.raises(UsageError, match="vgg11: its parameters"):
        build("vgg11")


def test_a_system_without_that_file_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(building, "MEMORY_FILE", tmp_path / "none")
    assert building.free_memory_bytes() is None
    assert build("small-vgg").training


def test_a_module_at_hand_is_built_already():
    module = nn.Linear(2, 2)
    assert build(module) is module
