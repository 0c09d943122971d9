"""Methods of the learning benchmark: what is computed in one process is what runs compute, and split learning
trains what one network would."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import edgeplan
from benchmarks import learning, learning_methods
from benchmarks.learning import CHOOSING_SEED, Keeper, Task
from benchmarks.learning_figure import STYLES, draw
from benchmarks.learning_methods import METHODS, OneProcess
from benchmarks.learning_table import Run, document
from benchmarks.rivals.split_learning import SplitNetwork, units
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.runtime.learning.training import train
from edgeplan.runtime.learning.workload import Workload, flatten
from edgeplan.runtime.profiling import build
from edgeplan.runtime.snake import Job, RunSettings, prepare, run

SETTINGS = RunSettings(
    rounds=2, alpha=0.5, seed=7, emulation="none", baseline="fedavg", distill=1.0, schedule="cosine"
)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _small(problem: LayerAssignment) -> LayerAssignment:
    """Fewer steps than in the benchmark."""
    section = problem.to_document()["training"] | {"local_steps": 3, "batch_size": 16}
    return problem.replace(training=section)


def _digits() -> tuple[LayerAssignment, Plan]:
    problem = edgeplan.load(learning.INSTANCES / "digits-6-nodes.json")
    assert isinstance(problem, LayerAssignment)
    own = [name for name in (layer.name for layer in problem.instance.model.layers) if name[-1].isdigit()][1:]
    nodes = [node.id for node in problem.instance.network.nodes]
    pairs = zip(reversed(nodes), own, strict=True)
    stages = [{"node": node, "layers": [name]} for node, name in pairs]
    return _small(problem), Plan.from_document({"stages": stages})


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, dict[str, Any]]:
    """Six processes that distil with a falling rate, and federated averaging after them."""
    folder = tmp_path_factory.mktemp("executed")
    report = run(*_digits(), SETTINGS, out=folder)
    return Job.read(folder / "job.json"), report


def test_snake_in_one_process_trains_bit_for_bit_what_the_run_trains(
    executed: tuple[Job, dict[str, Any]],
) -> None:
    job, report = executed
    assert any(job.distils(stage) for stage in range(6))
    nodes = OneProcess(job)
    moved = list(learning_methods.snake(nodes))
    trained = flatten(nodes.workload.parameters(nodes.workload.layers)).numpy()
    assert np.array_equal(trained, np.load(job.folder / "parameters.npy"))
    assert moved == [entry["bytes_moved"] for entry in report["rounds"]]
    assert nodes.score().loss == report["totals"]["loss"]


def test_federated_averaging_in_one_process_is_that_of_the_run(executed: tuple[Job, dict[str, Any]]) -> None:
    job, report = executed
    nodes = OneProcess(job)
    for moved, entry in zip(learning_methods.federated(nodes), report["baseline"]["rounds"], strict=True):
        assert (nodes.score().loss, moved) == (entry["loss"], entry["bytes_moved"])


def test_the_memory_of_a_visit_is_that_of_the_run(executed: tuple[Job, dict[str, Any]]) -> None:
    job, report = executed
    measured = [stage["measured"]["memory_bytes"] for stage in report["stages"]]
    assert learning_methods.snake_memory(OneProcess(job)) == {"device": max(measured)}


@pytest.mark.parametrize(("network", "num_units"), [("digits-vgg", 5), ("char-transformer", 2)])
def test_a_step_of_split_learning_is_a_step_of_the_whole_network(network: str, num_units: int) -> None:
    whole, halves = (Workload(build(network, seed=2)) for _ in range(2))
    generator = torch.Generator().manual_seed(0)
    if network == "digits-vgg":
        batch = torch.rand(4, 1, 8, 8, generator=generator), torch.randint(10, (4,), generator=generator)
    else:
        codes = torch.randint(128, (4, 65), generator=generator)
        batch = codes[:, :-1], codes[:, 1:]
    parameters = whole.train_only(whole.layers)
    train(whole.module, torch.optim.SGD(parameters, lr=0.1), [batch])
    halves.train_only(halves.layers)
    split = SplitNetwork.cut(halves.module, num_units)
    optimizers = [torch.optim.SGD(side.parameters(), lr=0.1) for side in (split.client, split.server)]
    moved = split.step(batch, optimizers)
    assert all(map(torch.equal, whole.module.parameters(), halves.module.parameters()))
    activations = split.client(batch[0])
    assert moved == 2 * 4 * activations.numel() + batch[1].numel()


def test_a_client_holds_less_than_everybody_and_the_two_sides_share_nothing() -> None:
    network = build("digits-vgg")
    split = SplitNetwork.cut(network, 5)
    assert len(units(network)) == len(split.client) + len(split.server)
    sides = [{id(p) for p in side.parameters()} for side in (split.client, split.server)]
    assert not sides[0] & sides[1]
    assert sides[0] | sides[1] == {id(p) for p in network.parameters()}
    assert split.handed_on_bytes == 4 * (320 + 9248)


def test_every_method_learns(tmp_path: Path) -> None:
    problem, plan = _digits()
    problem = problem.replace(training=problem.to_document()["training"] | {"local_steps": 5})
    for method in METHODS:
        changes: dict[str, Any] = {"distill": 0.0, "schedule": "constant"} | method.settings
        settings = replace(SETTINGS, alpha=1e6, **changes)
        nodes = OneProcess(prepare(problem, plan, settings, out=tmp_path))
        before = nodes.score().loss
        assert len(list(method.rounds(nodes))) == settings.rounds
        assert nodes.score().loss < before
        assert method.memory(OneProcess(nodes.job))["device"] > 0


def test_the_rate_with_the_least_loss_on_the_choosing_seed_is_taken_by_variants_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int, float]] = []

    def trained(_self: Keeper, method: Any, split: str, seed: int, rate: float) -> Run:
        asked.append((method.name, seed, rate))
        point = {"device_iterations": 1, "bytes": 1, "loss": abs(rate - 0.2), "accuracy": 0.5}
        return Run("digits", method.name, split, seed, rate, [point], {"device": 1}, [0.0])

    monkeypatch.setattr(Keeper, "_train", trained)
    keeper = Keeper(Task("digits", "digits-6-nodes", (0.1, 0.2, 0.4), rounds=1), tmp_path)
    assert {keeper.rate(method) for method in METHODS} == {0.2}
    assert {(name, seed) for name, seed, _ in asked} == {
        (name, CHOOSING_SEED) for name in ("Snake", "federated averaging", "split learning")
    }
    assert len(asked) == 9


def _run(data: str, method: str, split: str, seed: int) -> Run:
    points = [(100 * k, 10**6 * k, 2.0 / k, 0.3 * k) for k in (1, 2, 3)]
    names = ("device_iterations", "bytes", "loss", "accuracy")
    curve = [dict(zip(names, point, strict=True)) for point in points]
    memory = {"device": 2**20} | ({"server": 2**21} if method == "split learning" else {})
    return Run(data, method, split, seed, 0.001, curve, memory, [0.1])


def _runs() -> list[Run]:
    kinds = product(("digits", "topics"), learning.ALPHAS, (0, 1), METHODS)
    return [_run(data, method.name, split, seed) for data, split, seed, method in kinds]


def test_the_table_has_a_line_for_every_method_and_the_papers_claims() -> None:
    lines = list(document(_runs()))
    for method in METHODS:
        assert sum(line.startswith(f"| {method.name} | 90.0") for line in lines) == 1
    assert any("above 0.95" in line and "| 1.000 |" in line for line in lines)
    assert "| Snake: device iterations to 60% | 200, 200 | 200, 200 | 200, 200 | Snake fewer |" in lines


def test_the_figure_has_a_style_for_every_method(tmp_path: Path) -> None:
    assert set(STYLES) == {method.name for method in METHODS}
    draw(_runs(), tmp_path / "figure.svg")
    assert "distilling" in (tmp_path / "figure.svg").read_text()
