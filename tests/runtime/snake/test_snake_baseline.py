from __future__ import annotations

import io

import pytest

pytest.importorskip("torch")

import torch
from rich.console import Console
from snake_instances import Finished

from edgeplan.runtime.federated.averaging import weighted_mean
from edgeplan.runtime.snake import render


def test_federated_averaging_moves_all_parameters_twice_a_node_and_round(by_peers: Finished) -> None:
    baseline = by_peers.report["baseline"]
    parameters = sum(layer.parameters for layer in by_peers.job.problem.instance.model.layers)
    assert {entry["bytes_moved"] for entry in baseline["rounds"]} == {3 * 2 * 4 * parameters}
    moved = by_peers.report["totals"]["measured_bytes_per_round"]
    assert baseline["snake_bytes_ratio"] == moved / baseline["bytes_per_round"] < 0.5


def test_both_have_the_same_device_iterations_and_learn(by_peers: Finished) -> None:
    baseline = by_peers.report["baseline"]
    assert baseline["device_iterations"] == 3 * 12 * 5
    assert baseline["accuracy"] == baseline["rounds"][-1]["accuracy"] > 0.5
    ratio = by_peers.report["totals"]["accuracy"] / baseline["accuracy"]
    assert baseline["snake_accuracy_ratio"] == ratio


def test_the_mean_is_weighted_by_samples() -> None:
    mean = weighted_mean([torch.tensor([1.0, 0.0]), torch.tensor([3.0, 1.0])], [1, 3])
    assert mean.tolist() == [2.5, 0.75]


def test_the_table_shows_predicted_beside_measured_and_the_baseline(by_peers: Finished) -> None:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(render(by_peers.report))
    text = console.export_text()
    assert f"{by_peers.report['totals']['predicted_bytes_per_round']:,} =" in text
    assert "fedavg" in text
    assert "note: links, speeds and windows were not imposed" in text
