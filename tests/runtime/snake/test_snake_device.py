from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from snake_instances import OWN, SHARED, plan, training
from torch import nn

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.runtime.data.samples import read_samples
from edgeplan.runtime.emulation.links import Shape
from edgeplan.runtime.learning.calibration import full_step_flops, slowdown_of
from edgeplan.runtime.learning.memory import LiveTensors, peak_of_training
from edgeplan.runtime.learning.training import Shard, evaluate, train
from edgeplan.runtime.learning.workload import Workload, assign, fingerprint, flatten, optimizer_for
from edgeplan.runtime.profiling import build, profile
from edgeplan.runtime.snake.device.clock import RoundClock
from edgeplan.runtime.snake.itinerary import planned_visits


def test_one_changed_bit_changes_the_fingerprint() -> None:
    before, after = torch.tensor([1.0, 0.0]), torch.tensor([1.0, -0.0])
    assert torch.equal(before, after)
    assert fingerprint([before]) != fingerprint([after])


def test_parameters_survive_the_journey_in_one_vector() -> None:
    workload = Workload(build("small-vgg", seed=1))
    other = Workload(build("small-vgg", seed=2))
    names = list(workload.layers)
    assign(other.parameters(names), flatten(workload.parameters(names)))
    assert fingerprint(other.parameters(names)) == fingerprint(workload.parameters(names))


def test_autograd_drops_the_frozen_prefix() -> None:
    workload = Workload(build("small-vgg"))
    workload.train_only(["features.7"])
    workload.module(torch.zeros(1, 1, 8, 8)).sum().backward()
    assert [name for name in workload.layers if workload.layers[name][0].grad is not None] == ["features.7"]


def test_live_tensors_count_each_storage_while_it_lives() -> None:
    kept = torch.zeros(100)
    with LiveTensors([kept, kept.view(10, 10)]) as live:
        assert live.live_bytes == 400
        doubled = kept * 2
        del doubled
        again = kept + 1
    assert again.nbytes == 400
    assert (live.live_bytes, live.peak_bytes) == (800, 800)


@pytest.mark.parametrize(("optimizer_bytes", "words"), [(0, 2), (4, 3), (8, 4)])
def test_the_peak_holds_parameters_gradients_and_optimizer_state(optimizer_bytes: int, words: int) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 1000), nn.Linear(1000, 10))
    parameters = sum(parameter.numel() for parameter in module.parameters())
    batches = [(torch.zeros(1, 1, 8, 8), torch.zeros(1, dtype=torch.long))] * 3
    workload = Workload(module)
    peak = peak_of_training(
        workload, list(workload.layers), batches, optimizer_bytes=optimizer_bytes, learning_rate=None
    )
    # Adam's step has two more vectors of the largest tensor at hand; activations are a few kilobytes.
    assert 4 * words * parameters <= peak <= 4 * (words + 2) * parameters + 50_000


def test_the_measured_peak_is_near_equation_4_for_the_small_vgg() -> None:
    node = {"flops_per_s": 1e9, "memory_bytes": 10**9}
    problem = LayerAssignment.from_document(
        {
            "format": "edgeplan/1",
            "problem": "layer_assignment",
            "model": profile("small-vgg"),
            "network": {"nodes": [{"id": f"node-{k}", **node} for k in range(3)]},
            "training": training(batch_size=32),
            "schedule": "serial",
            "shared_layers": list(SHARED),
        }
    )
    digits, _ = read_samples("digits", seed=0)
    batches = Shard(digits, None).batches(seed=0, node=0, visit=0, batch_size=32, steps=2)
    for visit in planned_visits(problem, plan(*((name,) for name in OWN))):
        peak = peak_of_training(
            Workload(build("small-vgg")), visit.trained, batches, optimizer_bytes=4, learning_rate=None
        )
        assert 0.6 * visit.predicted.memory_bytes < peak < 1.05 * visit.predicted.memory_bytes


def test_training_lowers_the_loss_and_evaluation_changes_nothing() -> None:
    digits, test = read_samples("digits", seed=0)
    workload = Workload(build("small-vgg"))
    names = list(workload.layers)
    optimizer = optimizer_for(workload.train_only(names), 8, None)
    batches = Shard(digits, None).batches(seed=0, node=0, visit=0, batch_size=32, steps=30)
    train(workload.module, optimizer, batches)
    trained = fingerprint(workload.parameters(names))
    assert evaluate(workload.module, Shard(test, None)).accuracy > 0.6
    assert fingerprint(workload.parameters(names)) == trained
    assert workload.module.training


def test_a_stage_without_parameters_trains_nothing() -> None:
    assert optimizer_for([], 4, None) is None


def test_a_shaped_transfer_takes_latency_and_bytes_over_rate() -> None:
    assert Shape(latency_s=0.5, bit_per_s=8e6).transfer_s(1_000_000) == 1.5
    assert Shape(latency_s=0.5, bit_per_s=float("inf")).transfer_s(1_000_000) == 0.5


def test_the_slowdown_is_the_full_step_on_the_node_over_the_one_here() -> None:
    problem = LayerAssignment.from_document(
        {
            "format": "edgeplan/1",
            "problem": "layer_assignment",
            "model": profile("small-vgg"),
            "network": {"nodes": [{"id": "slow", "flops_per_s": 1e6, "memory_bytes": 10**9}]},
            "training": training(),
            "schedule": "serial",
        }
    )
    assert slowdown_of(problem, "slow", full_step_s=2.0) == pytest.approx(full_step_flops(problem) / 1e6 / 2)


def test_seconds_spent_on_checks_do_not_count() -> None:
    clock = RoundClock(origin_s=0.0)
    with clock.paused():
        pass
    assert clock.paused_s >= 0.0
    assert RoundClock(0.0, paused_s=100.0).now_s() < RoundClock(0.0).now_s() - 99.0
