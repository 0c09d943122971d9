from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from kernel_emulation import require_kernel
from snake_instances import Finished
from torch import nn
from torch.nn import functional

from edgeplan.runtime.data.shards import sample_order
from edgeplan.runtime.emulation.modes import KERNEL
from edgeplan.runtime.profiling import build
from edgeplan.runtime.snake import Job, run


def _optimizer(job: Job, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    kind = job.problem.instance.training.optimizer_bytes
    if kind == 8:
        return torch.optim.Adam(parameters, lr=0.001, fused=True)
    return torch.optim.SGD(parameters, lr=0.02 if kind else 0.05, momentum=0.9 if kind else 0.0, fused=True)


def _recomputed(job: Job) -> list[float]:
    """Visit after visit on one copy of the network: no processes, nothing moved, nothing copied."""
    instance = job.problem.instance
    training, module = instance.training, build(instance.model.name, seed=job.settings.seed)
    for round_number in range(job.settings.rounds):
        for stage, planned in enumerate(job.plan.stages):
            samples = job.read_samples(stage)
            names = {*planned.layers, *(instance.shared_layers if instance.train_shared else ())}
            module.requires_grad_(False)
            trained = [
                p for name in names for p in module.get_submodule(name).requires_grad_(True).parameters()
            ]
            optimizer = _optimizer(job, trained)
            count = training.batch_size * training.local_steps
            order = sample_order(job.settings.seed, stage, len(samples.targets), round_number * count, count)
            for some in np.split(order, training.local_steps):
                pixels = torch.from_numpy(samples.inputs[some]).float() / samples.white
                loss = functional.cross_entropy(
                    module(pixels), torch.from_numpy(samples.targets[some]).long()
                )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return torch.cat([p.detach().reshape(-1) for p in module.parameters()]).tolist()


@pytest.mark.parametrize("name", ["by_peers", "by_server", "alone"])
def test_the_trained_parameters_are_those_of_the_same_visits_in_one_process(
    name: str, request: pytest.FixtureRequest
) -> None:
    job = request.getfixturevalue(name).job
    trained = np.load(job.folder / "parameters.npy", allow_pickle=False)
    assert trained.dtype == np.float32
    assert trained.tolist() == _recomputed(job)


@pytest.mark.parametrize("name", ["by_peers", "by_server", "alone"])
def test_every_hop_moves_what_equation_6_says_to_the_byte(name: str, request: pytest.FixtureRequest) -> None:
    run: Finished = request.getfixturevalue(name)
    predicted = run.job.problem.metrics(run.job.plan)
    for entry in run.report["rounds"]:
        assert [visit["bytes_in"] for visit in entry["timeline"]] == [
            stage["bytes_in"] for stage in predicted["stages"]
        ]
        assert [visit["bytes_out"] for visit in entry["timeline"]] == [
            stage["bytes_out"] for stage in predicted["stages"]
        ]
        assert entry["bytes_moved"] == predicted["bytes_moved"]
        assert all(hop["sent_bytes"] == hop["received_bytes"] for hop in entry["hops"])
    assert run.report["totals"]["bytes_equal"]


def test_the_bytes_are_those_of_the_layers_counted_by_hand(by_peers: Finished, by_server: Finished) -> None:
    sizes = {layer.name: 4 * layer.parameters for layer in by_peers.job.problem.instance.model.layers}
    everything = sum(sizes.values())
    peers = [stage["measured"]["bytes_in"] for stage in by_peers.report["stages"]]
    assert peers == [everything - sizes[name] for name in ("features.2", "features.5", "features.7")]
    first, second = (stage["measured"] for stage in by_server.report["stages"])
    assert (first["bytes_in"], first["bytes_out"]) == (
        sizes["features.5"] + sizes["features.7"],
        sizes["features.2"],
    )
    assert (second["bytes_in"], second["bytes_out"]) == (first["bytes_out"], first["bytes_in"])


def test_one_stage_alone_moves_nothing_and_has_no_hop(alone: Finished) -> None:
    assert alone.report["totals"]["measured_bytes_per_round"] == 0
    assert alone.report["rounds"][0]["hops"] == []


def test_a_visit_waits_for_its_window(alone: Finished) -> None:
    visit = alone.report["rounds"][0]["timeline"][0]
    assert visit["compute_start_s"] >= 0.05
    assert not visit["window_missed"]


@pytest.mark.parametrize("name", ["by_peers", "by_server", "alone"])
def test_frozen_parameters_were_checked_and_kept_every_bit(name: str, request: pytest.FixtureRequest) -> None:
    report: dict[str, Any] = request.getfixturevalue(name).report
    instance = request.getfixturevalue(name).job.problem.instance
    sizes = {layer.name: 4 * layer.parameters for layer in instance.model.layers}
    assert report["passed"]
    for stage in report["stages"]:
        outside = sum(size for layer, size in sizes.items() if layer not in stage["trained_layers"])
        assert stage["frozen_unchanged"]
        assert stage["frozen_bytes_checked"] == outside * len(report["rounds"])


def test_accuracy_rises_and_loss_falls(by_peers: Finished) -> None:
    first, last = by_peers.report["rounds"][0], by_peers.report["rounds"][-1]
    assert last["accuracy"] > first["accuracy"] + 0.2
    assert last["loss"] < first["loss"]


def test_stages_follow_each_other_and_the_last_one_ends_the_round(by_server: Finished) -> None:
    for entry in by_server.report["rounds"]:
        first, second = entry["timeline"]
        assert 0.0 <= first["start_s"] <= first["compute_start_s"] <= first["end_s"] <= second["start_s"]
        assert entry["time_s"] == second["end_s"]


def test_every_image_is_on_one_node_and_every_node_has_a_batch(by_peers: Finished) -> None:
    nodes = by_peers.report["nodes"]
    assert sum(node["samples"] for node in nodes) == 1797 - 359
    assert all(node["samples"] == sum(node["label_counts"]) >= 16 for node in nodes)


def test_nodes_made_by_the_kernel_train_the_same_parameters(by_peers: Finished, tmp_path: Path) -> None:
    require_kernel()
    document = by_peers.job.problem.to_document()
    for node in document["network"]["nodes"]:
        node |= {"flops_per_s": 1e8, "uplink_bit_per_s": 2e7, "latency_s": 0.002}
    settings = replace(by_peers.job.settings, emulation=KERNEL, baseline="none")
    given = by_peers.job.problem.replace(network=document["network"])
    report = run(given, by_peers.job.plan, settings, out=tmp_path)
    assert report["passed"]
    emulation = report["emulation"]
    assert (emulation["mode"], len(emulation["links"]), len(emulation["speeds"])) == (KERNEL, 3, 3)
    assert all(link["configured_bit_per_s"] == 2e7 for link in emulation["links"])
    assert all(link["achieved_latency_s"] > 0.004 for link in emulation["links"])
    for entry in report["wire"]:
        assert 0 < entry["wire_bytes"] - entry["parameter_bytes"] < entry["data_bytes"]
    trained, expected = (np.load(f / "parameters.npy") for f in (tmp_path, by_peers.job.folder))
    assert trained.tolist() == expected.tolist()
