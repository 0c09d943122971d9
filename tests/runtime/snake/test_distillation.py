"""Distillation of a visit: its loss by hand, a teacher that stays as it arrived, where it is switched on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from snake_instances import OWN, SHARED, plan, problem, training
from torch import nn

from edgeplan.runtime.data.samples import read_samples
from edgeplan.runtime.learning.memory import peak_of_training
from edgeplan.runtime.learning.objective import Distilling, cross_entropy
from edgeplan.runtime.learning.training import Shard, train
from edgeplan.runtime.learning.workload import Workload, optimizer_for
from edgeplan.runtime.profiling import build
from edgeplan.runtime.snake import Job, RunSettings, prepare, run
from edgeplan.runtime.snake.device.node import NodeProcess

THREE_STAGES = plan(*((name,) for name in OWN))


def _softmax(scores: np.ndarray) -> np.ndarray:
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def _batch(size: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    digits, _ = read_samples("digits", seed=0)
    return Shard(digits, None).batches(seed=0, node=0, visit=0, batch_size=size, steps=1)[0]


def test_the_loss_is_cross_entropy_and_the_divergence_of_the_teacher_computed_by_hand() -> None:
    torch.manual_seed(0)
    network, inputs = nn.Linear(5, 3), torch.randn(4, 5)
    targets = torch.tensor([0, 2, 1, 1])
    distilling = Distilling(network, weight=0.7, temperature=3.0)
    teacher = network(inputs).detach().double().numpy()
    with torch.no_grad():
        network.weight.add_(torch.randn(3, 5))
    student = network(inputs).detach().double().numpy()
    entropy = -np.log(_softmax(student)[range(4), targets.numpy()]).mean()
    taught, learned = _softmax(teacher / 3.0), _softmax(student / 3.0)
    apart = (taught * np.log(taught / learned)).sum(axis=1).mean()
    assert distilling(network, inputs, targets).item() == pytest.approx(entropy + 0.7 * 9.0 * apart, rel=1e-5)


def test_the_mean_is_over_characters_where_every_place_has_an_answer() -> None:
    torch.manual_seed(0)
    network, inputs, targets = nn.Linear(5, 3), torch.randn(2, 6, 5), torch.randint(3, (2, 6))
    distilling = Distilling(network, weight=1.0, temperature=2.0)
    with torch.no_grad():
        network.weight.mul_(2.0)
    by_place = distilling(network, inputs.flatten(0, 1), targets.flatten())
    torch.testing.assert_close(distilling(network, inputs, targets), by_place)


def test_the_teacher_stays_as_it_arrived_and_only_what_is_trained_is_copied() -> None:
    workload = Workload(build("small-vgg"))
    trained = workload.train_only(["features.7", "classifier"])
    teacher = Distilling(workload.module, weight=1.0, temperature=2.0)
    inputs, targets = _batch()
    arrived = teacher._answer(workload.module, inputs)
    train(workload.module, optimizer_for(trained, 8, 0.1), [(inputs, targets)], teacher)
    assert torch.equal(teacher._answer(workload.module, inputs), arrived)
    assert sum(copy.numel() for copy in teacher._teacher.values()) == sum(p.numel() for p in trained)


def test_the_teacher_changes_no_running_statistics_and_draws_nothing() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    teacher = Distilling(network, weight=1.0, temperature=2.0)
    before, state = [buffer.clone() for buffer in network.buffers()], torch.get_rng_state()
    teacher._answer(network, torch.randn(3, 4, generator=torch.Generator().manual_seed(0)))
    assert all(map(torch.equal, network.buffers(), before))
    assert torch.equal(torch.get_rng_state(), state)
    assert network.training


def test_a_heavy_teacher_keeps_the_network_near_what_it_was() -> None:
    def moved(weight: float) -> float:
        workload = Workload(build("small-vgg"))
        trained = workload.train_only(workload.layers)
        batch = _batch(16)
        with torch.no_grad():
            before = workload.module(batch[0])
        objective = Distilling(workload.module, weight, 2.0) if weight else cross_entropy
        train(workload.module, optimizer_for(trained, 0, 0.01), [batch] * 10, objective)
        with torch.no_grad():
            return float((workload.module(batch[0]) - before).abs().mean())

    assert moved(5.0) < moved(0.5) < moved(0.0)


def test_the_teacher_takes_a_copy_of_what_is_trained() -> None:
    workload, layers = Workload(build("small-vgg")), ["features.7", "classifier"]
    peaks = [
        peak_of_training(
            workload, layers, [_batch(), _batch()], optimizer_bytes=8, learning_rate=None, objective_of=some
        )
        for some in (lambda _: cross_entropy, lambda module: Distilling(module, 1.0, 2.0))
    ]
    copied = 4 * sum(parameter.numel() for parameter in workload.parameters(layers))
    assert copied <= peaks[1] - peaks[0] <= copied + 50_000


def test_only_nodes_whose_labels_are_far_from_those_of_all_distil(tmp_path: Path) -> None:
    given = problem(shared_layers=list(SHARED))
    settings = RunSettings(rounds=1, alpha=0.3, emulation="none", distill=1.0)
    job = prepare(given, THREE_STAGES, settings, out=tmp_path)
    nearest = min(job.divergences)
    assert nearest > 0.1
    for above, expected in ((0.0, 3), (nearest, 2), (1.0, 0)):
        other = replace(job, settings=replace(settings, distill_above=above))
        assert sum(other.distils(stage) for stage in range(3)) == expected
    assert not replace(job, settings=replace(settings, distill=0.0)).distils(0)


def test_a_run_that_distils_says_so(tmp_path: Path) -> None:
    given = problem(num_nodes=2, shared_layers=list(SHARED), training=training(optimizer_bytes=8))
    settings = RunSettings(rounds=1, alpha=0.3, emulation="none", distill=1.0, schedule="divergence")
    report = run(given, plan(OWN[:1], OWN[1:]), settings, out=tmp_path)
    assert report["passed"]
    assert any(note.startswith("node-0, node-1 distil") for note in report["notes"])
    assert [node["distils"] for node in report["nodes"]] == [True, True]
    assert report["settings"]["schedule"] == "divergence"


def test_no_teacher_stays_without_distillation(tmp_path: Path) -> None:
    job = prepare(problem(shared_layers=list(SHARED)), THREE_STAGES, RunSettings(rounds=1), out=tmp_path)
    assert NodeProcess.of(Job.read(job.path), 0).objective_of(nn.Linear(1, 1)) is cross_entropy
