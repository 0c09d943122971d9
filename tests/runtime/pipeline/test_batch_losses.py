"""Pipelines that lose nodes: planned anew, they come to the bits of a run that loses nobody."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tier import LARGE_ONLY

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from kernel_emulation import require_kernel
from pipelines_that_run import SETTINGS, STAGES, FinishedRun, plan, problem
from rich.console import Console

from edgeplan.api import replanned
from edgeplan.errors import RunError
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.runtime.emulation.modes import KERNEL
from edgeplan.runtime.pipeline.batches import BatchJob, Planner, render, resume, run
from edgeplan.runtime.pipeline.batches.recovery import without_lost
from edgeplan.runtime.pipeline.course import Leg
from edgeplan.runtime.processes.rehearsal import faults_of
from edgeplan.runtime.processes.supervision import Lost, NodesLostError

BATCHES = 3


def three_nodes() -> LayerAssignment:
    node = {"flops_per_s": 1e9, "memory_bytes": 10**8, "uplink_bit_per_s": 1e9, "latency_s": 0.0}
    return problem(network={"nodes": [{"id": f"node-{k}", **node} for k in range(4)]})


def three_stages(*nodes: str) -> Plan:
    layers = [*STAGES[0], *STAGES[1]]
    runs = (layers[:1], layers[1:3], layers[3:])
    return Plan.from_document(
        {"stages": [{"node": name, "layers": list(one)} for name, one in zip(nodes, runs, strict=True)]}
    )


def on_two_nodes(given: LayerAssignment, _: Plan) -> Plan:
    """The last of the nodes left, then the first."""
    names = [node.id for node in given.instance.network.nodes]
    stages = [
        {"node": name, "layers": list(one)} for name, one in zip((names[-1], names[0]), STAGES, strict=True)
    ]
    return Plan.from_document({"stages": stages})


def rehearsed(folder: Path, *faults: str, planner: Planner = on_two_nodes, **changed: Any) -> FinishedRun:
    settings = replace(SETTINGS, rounds=BATCHES, faults=faults_of(faults), patience_s=5.0, **changed)
    planned = three_stages("node-0", "node-1", "node-2")
    report = run(three_nodes(), planned, settings, out=folder, planner=planner)
    return FinishedRun(BatchJob.read(folder / "job.json"), report)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    return rehearsed(tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """The first stage dies in a batch, then the last one of the new plan when it has all layers."""
    faults = ("node-0:2:compute:kill", "node-1:3:checkpoint:kill")
    return rehearsed(tmp_path_factory.mktemp("killed"), *faults)


@pytest.fixture(scope="module")
def hung(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """A stage in the middle hangs before it hands on its layers."""
    return rehearsed(tmp_path_factory.mktemp("hung"), "node-1:1:send:hang")


RUNS = pytest.mark.parametrize("name", ["killed", "hung"])


def parameters(run: FinishedRun) -> Any:
    return np.load(run.job.folder / "parameters.npy", allow_pickle=False)


@RUNS
def test_the_parameters_are_those_of_a_run_without_losses(
    name: str, undisturbed: FinishedRun, request: pytest.FixtureRequest
) -> None:
    run: FinishedRun = request.getfixturevalue(name)
    assert run.report["passed"], run.report["failures"]
    assert np.array_equal(parameters(run), parameters(undisturbed))
    losses = [[entry["train_loss"] for entry in one.report["rounds"]] for one in (run, undisturbed)]
    assert losses[0] == losses[1]


def test_the_batches_that_are_left_follow_a_new_plan(killed: FinishedRun, hung: FinishedRun) -> None:
    assert [(one["node"], one["round"]) for one in killed.report["lost"]] == [("node-0", 2), ("node-1", 3)]
    assert [stage["node"] for stage in killed.report["stages"]] == [
        *("node-0", "node-1", "node-2"),
        *("node-3", "node-1"),
        *("node-3", "node-2"),
    ]
    assert [stage["node"] for stage in hung.report["stages"]] == ["node-3", "node-0"]
    assert hung.report["lost"][0]["reason"] == "was silent for 5 s"


@RUNS
def test_bytes_are_those_of_the_plan_that_made_the_batch(name: str, request: pytest.FixtureRequest) -> None:
    report = request.getfixturevalue(name).report
    assert report["totals"]["bytes_equal"]
    for entry in report["rounds"]:
        assert entry["bytes_moved"] == entry["predicted_bytes_moved"]


def test_the_report_says_who_was_lost_and_how_it_went_on(killed: FinishedRun) -> None:
    assert json.loads((killed.job.folder / "run.json").read_text()) == killed.report
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(render(killed.report))
    text = console.export_text()
    assert "node-0 (lost)" in text
    assert "was killed by signal 9 (compute, batch 2); on from batch 2 by node-3 > node-1" in text


def test_a_resumed_run_goes_on_from_the_newest_batch_that_somebody_has_kept(
    killed: FinishedRun, tmp_path: Path
) -> None:
    shutil.copytree(killed.job.folder, tmp_path, dirs_exist_ok=True)
    for name in ("run.json", "parameters.npy", "state-2-3.npz", "state-3-3.npz"):
        (tmp_path / name).unlink()
    report = resume(tmp_path)
    assert report["passed"], report["failures"]
    assert report["lost"] == killed.report["lost"]
    assert np.array_equal(np.load(tmp_path / "parameters.npy"), parameters(killed))


@LARGE_ONLY
def test_a_node_that_loses_its_link_is_replaced(undisturbed: FinishedRun, tmp_path: Path) -> None:
    require_kernel()
    run = rehearsed(tmp_path, "node-2:2:send:unlink", planner=replanned, emulation=KERNEL, slower=1.0)
    assert [one["node"] for one in run.report["lost"]] == ["node-2"]
    assert np.array_equal(parameters(run), parameters(undisturbed))
    assert {entry["round"] for entry in run.report["wire"]} == {
        entry["round"] for entry in run.report["rounds"]
    }
    for entry in run.report["wire"]:
        assert entry["wire_bytes"] == entry["parameter_bytes"] + entry["header_bytes"]


def job_of(folder: Path) -> BatchJob:
    legs = (Leg(problem(), plan()),)
    job = BatchJob(SETTINGS, folder, white=None, upscaled_to=None, legs=legs)
    job.write()
    return job


def error_of(job: BatchJob, *names: str) -> NodesLostError:
    how = Lost("was killed", "send, batch 1")
    ranks = [rank for rank, name in enumerate(job.nodes) if name in names]
    return NodesLostError(f"{names[0]} was killed", dict.fromkeys(ranks, how))


def test_a_run_of_which_no_plan_is_left_ends(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    with pytest.raises(RunError, match="no plan within the instance's limits is left without node-0, node-1"):
        without_lost(job, error_of(job, "node-0", "node-1"), on_two_nodes)
    assert BatchJob.read(job.path).legs == job.legs


def test_layers_that_are_lost_with_both_who_had_them_end_the_run_and_stay(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    for name in ("state-0-1.npz", "state-1-1.npz", "state-0-2.npz"):
        (tmp_path / name).touch()
    with pytest.raises(
        RunError, match="only the lost nodes have all that was done; once one of them is back"
    ):
        without_lost(job, error_of(job, "node-0", "node-1"), on_two_nodes)
    assert (tmp_path / "state-1-1.npz").is_file()
    one_left = without_lost(job, error_of(job, "node-0"), lambda _given, _old: plan())
    assert one_left.leg.since == 1
    assert sorted(path.name for path in tmp_path.glob("state-*")) == ["state-1-1.npz"]
