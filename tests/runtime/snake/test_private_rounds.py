"""Serial rounds with differential privacy, from end to end."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("opacus")

import torch
from opacus.accountants import RDPAccountant
from rich.console import Console
from snake_instances import OWN, SHARED, Finished, plan, problem, training

from edgeplan.api import replanned
from edgeplan.errors import UsageError
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.report.run_document import RunDocument
from edgeplan.report.sections.privacy import privacy_blocks
from edgeplan.runtime.learning.privacy.accounting import ORDERS
from edgeplan.runtime.learning.privacy.mechanism import Privacy
from edgeplan.runtime.learning.privacy.private_steps import PrivateSteps
from edgeplan.runtime.learning.training import Shard
from edgeplan.runtime.learning.workload import Workload, flatten, optimizer_for
from edgeplan.runtime.pipeline import batches
from edgeplan.runtime.processes.rehearsal import CHECKPOINT, KILL, Fault
from edgeplan.runtime.profiling import build
from edgeplan.runtime.snake import Job, RunSettings, prepare, render, run
from edgeplan.runtime.snake.device.node import NodeProcess

STAGES = plan(*((name,) for name in OWN))
SETTINGS = RunSettings(rounds=2, emulation="none", noise=0.8, clip=0.7, delta=1e-4, noise_seed=11, seed=2)


def _problem(num_nodes: int = 3, **members: Any) -> LayerAssignment:
    return problem(num_nodes=num_nodes, shared_layers=list(SHARED), training=training(), **members)


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("private")
    report = run(_problem(), STAGES, SETTINGS, out=folder)
    return Finished(Job.read(folder / "job.json"), report)


def _accounted(noise: float, rate: float, steps: int, delta: float) -> float:
    accountant = RDPAccountant()
    for _ in range(steps):
        accountant.step(noise_multiplier=noise, sample_rate=rate)
    return float(accountant.get_epsilon(delta, alphas=list(ORDERS)))


def test_each_node_has_the_accountant_s_epsilon_of_all_its_visits(private: Finished) -> None:
    told = private.report["privacy"]
    assert [node["node"] for node in told["nodes"]] == ["node-0", "node-1", "node-2"]
    for stage, node in enumerate(told["nodes"]):
        samples = private.job.num_samples(stage)
        assert (node["samples"], node["steps"], node["delta"]) == (samples, 2 * 3, 1e-4)
        assert node["sample_rates"] == [16 / samples]
        assert node["epsilon"] == pytest.approx(_accounted(0.8, 16 / samples, 6, 1e-4), rel=1e-12)


def test_a_private_run_passes_and_withholds_the_losses_on_private_samples(private: Finished) -> None:
    assert private.report["passed"], private.report["failures"]
    visits = [visit for entry in private.report["rounds"] for visit in entry["timeline"]]
    assert [visit["train_loss"] for visit in visits] == [None] * 6
    assert all(visit["trained_changed"] and visit["frozen_unchanged"] for visit in visits)
    assert all(entry["loss"] is not None for entry in private.report["rounds"])


def test_what_travels_is_what_noisy_steps_on_the_same_samples_lead_to(private: Finished) -> None:
    job, workload = private.job, Workload(build("small-vgg", seed=2))
    privacy = Privacy(0.8, 0.7, 1e-4, seed=11)
    for round_number in (1, 2):
        for visit in job.visits:
            steps = PrivateSteps.of(privacy, 16, (round_number, visit.stage))
            optimizer = optimizer_for(workload.train_only(visit.trained), 4, None)
            shard = Shard(job.read_samples(visit.stage), None)
            steps.train(workload.module, optimizer, steps.batches(shard, 3))
    expected = torch.cat([parameter.detach().flatten() for parameter in workload.module.parameters()])
    assert np.load(job.folder / "parameters.npy", allow_pickle=False).tolist() == expected.tolist()


def test_the_table_and_the_page_show_epsilon_and_that_the_seed_voids_it(private: Finished) -> None:
    screen = StringIO()
    Console(file=screen, width=200).print(render(private.report))
    epsilon = f"{private.report['privacy']['nodes'][1]['epsilon']:.4g}"
    assert "privacy at delta 0.0001" in screen.getvalue()
    assert "epsilon, void by noise_seed" in screen.getvalue()
    assert epsilon in screen.getvalue()
    assert any(
        note.startswith("sampling and noise came from noise_seed 11") for note in private.report["notes"]
    )
    (table,) = privacy_blocks(RunDocument.model_validate(private.report).privacy)
    assert [cell.text for cell in table.rows[1]][-2:] == ["6", epsilon]  # type: ignore[union-attr]
    assert "known seed" in table.note  # type: ignore[union-attr]


def test_a_run_without_noise_has_no_section_of_privacy(by_peers: Finished) -> None:
    assert by_peers.report["privacy"] is None
    assert privacy_blocks(RunDocument.model_validate(by_peers.report).privacy) == []
    assert not any("epsilon" in note for note in by_peers.report["notes"])
    assert not list(by_peers.job.folder.glob("privacy-*"))


def test_without_a_seed_no_two_visits_are_alike_and_each_is_written_down(tmp_path: Path) -> None:
    job = prepare(_problem(), STAGES, replace(SETTINGS, noise_seed=None), out=tmp_path)
    trained = []
    for _ in range(2):
        node = NodeProcess.of(job, 1)
        node.train(job.visits[1].trained, round_number=1)
        trained.append(flatten(node.workload.parameters(job.visits[1].trained)))
    assert (trained[0] - trained[1]).abs().max() > 1e-3
    assert [event["steps"] for event in node.spent] == [3, 3]


def test_a_visit_that_is_lost_with_its_node_counts(tmp_path: Path) -> None:
    settings = replace(SETTINGS, spares=1, faults=(Fault("node-1", 2, CHECKPOINT, KILL),))
    report = run(_problem(4), STAGES, settings, out=tmp_path, planner=replanned)
    steps = {node["node"]: node["steps"] for node in report["privacy"]["nodes"]}
    kept = [visit["node"] for entry in report["rounds"] for visit in entry["timeline"]]
    assert report["incidents"]
    assert kept.count("node-1") == 1
    assert {node: count for node, count in steps.items() if node != "node-3"} == {
        "node-0": 6,
        "node-1": 6,
        "node-2": 6,
    }


def test_another_run_in_the_same_folder_begins_with_nothing_spent(tmp_path: Path) -> None:
    (tmp_path / "privacy-0.jsonl").write_text(
        json.dumps({"event": "taken", "seat": 0, "steps": 99, "sample_rate": 0.5}) + "\n", encoding="utf-8"
    )
    prepare(_problem(), STAGES, SETTINGS, out=tmp_path)
    assert not (tmp_path / "privacy-0.jsonl").exists()


def _refusal(folder: Path, settings: RunSettings, **members: Any) -> str:
    with pytest.raises(UsageError) as caught:
        prepare(_problem(**members), STAGES, settings, out=folder)
    assert len(caught.value.lines()) == 1
    assert not list(folder.iterdir())
    return caught.value.message


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"noise": -1.0}, "noise -1.0: must be"),
        ({"noise": None}, "clip 0.7: says nothing without noise"),
        ({"baseline": "fedavg"}, "baseline 'fedavg': would train on the same samples once more"),
        ({"delta": 0.5}, "delta 0.5: must be below 1 / "),
    ],
)
def test_what_has_no_guarantee_is_refused_in_one_line(
    tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    assert _refusal(tmp_path, replace(SETTINGS, **changed)).startswith(told)


def test_a_network_with_batch_norm_is_refused_by_its_layer(tmp_path: Path) -> None:
    given = problem("snake_networks:normed", num_nodes=1)
    with pytest.raises(
        UsageError, match=r"noise: layer 2 \(BatchNorm1d\): BatchNorm cannot support training"
    ):
        prepare(given, plan(("1", "2", "4")), SETTINGS, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_pipeline_refuses_noise(tmp_path: Path) -> None:
    given = LayerAssignment.from_document(
        _problem().to_document() | {"schedule": "pipeline", "shared_layers": []}
    )
    every = plan(("features.0", *OWN, "classifier"))
    with pytest.raises(UsageError, match=r"noise 1\.0: a pipeline's activations leave the first stage"):
        batches.prepare(given, every, RunSettings(noise=1.0, emulation="none"), out=tmp_path)
