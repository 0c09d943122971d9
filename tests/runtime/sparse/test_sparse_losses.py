"""Runs that lose devices: the others go on, to the same bits as in one process without those devices."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kernel_emulation import require_kernel
from sparse_runs import PLAIN, FinishedRun, canonical_plan, finished, problem, tiny_starts
from tier import LARGE_ONLY
from tiny_workloads import tiny_workload

pytest.importorskip("torch")

from rich.console import Console
from torch import Tensor
from torch.testing import assert_close

from benchmarks.replayed_updates import replayed
from edgeplan.errors import RunError
from edgeplan.runtime.emulation.modes import KERNEL
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.records import events_path, journal_path, read_json
from edgeplan.runtime.processes.rehearsal import faults_of
from edgeplan.runtime.processes.supervision import Lost, LostNode, NodesLostError
from edgeplan.runtime.sparse.execution import Job, render, resume
from edgeplan.runtime.sparse.execution.course import Leg, Position
from edgeplan.runtime.sparse.execution.recovery import without_lost
from edgeplan.runtime.sparse.execution.report.comparison import run_report

SETTINGS = replace(PLAIN, local_steps=1, baseline="none", score_every=1, patience_s=5.0)


def rehearsed(folder: Path, *faults: str, **settings_changed: Any) -> FinishedRun:
    settings = replace(SETTINGS, faults=faults_of(faults), **settings_changed)
    return finished(folder, problem(), canonical_plan(), settings)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """One device dies while averages are made, then rank 0 while it trains; one is left."""
    faults = ("device-1:1:aggregate:kill", "device-0:3:compute:kill")
    return rehearsed(tmp_path_factory.mktemp("killed"), *faults)


@pytest.fixture(scope="module")
def hung(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Rank 0 dies before the first step, then a device stands still while averages are made."""
    faults = ("device-0:1:start-up:kill", "device-1:2:aggregate:hang")
    return rehearsed(tmp_path_factory.mktemp("hung"), *faults)


@pytest.fixture(scope="module")
def killed_between(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """A device dies when it has given its part of an average, and has not kept the outcome."""
    return rehearsed(tmp_path_factory.mktemp("between"), "device-1:2:checkpoint:kill")


def lost_rounds(report: Mapping[str, Any]) -> dict[str, int]:
    return {one["node"]: one["round"] for one in report["lost"]}


def assert_as_in_one_process(run: FinishedRun, parameters: dict[str, Tensor]) -> None:
    for replica in replayed(run.job, lost_rounds(run.report)):
        assert_close(parameters, replica, rtol=0, atol=0)


def test_killed_devices_are_left_out_from_the_round_on_in_which_they_died(killed: FinishedRun) -> None:
    assert lost_rounds(killed.report) == {"device-1": 1, "device-0": 3}
    assert {one["reason"] for one in killed.report["lost"]} == {"was killed by signal 9"}
    assert [one["doing"] for one in killed.report["lost"]] == ["aggregate, round 1", "compute, round 3"]
    assert [entry["num_devices"] for entry in killed.report["rounds"]] == [2, 2, 1]
    assert_as_in_one_process(killed, killed.parameters())


def test_a_device_that_never_began_and_one_that_hangs_are_left_out(hung: FinishedRun) -> None:
    assert lost_rounds(hung.report) == {"device-0": 1, "device-1": 2}
    assert hung.report["lost"][1]["reason"] == "was silent for 5 s"
    assert [entry["num_devices"] for entry in hung.report["rounds"]] == [2, 1, 1]
    assert_as_in_one_process(hung, hung.parameters())


@LARGE_ONLY
def test_a_device_that_loses_its_link_is_left_out(tmp_path: Path) -> None:
    require_kernel()
    settings = {"emulation": KERNEL, "slower": 1.0, "rounds": 2, "memory_limit": False}
    run = rehearsed(tmp_path, "device-1:2:aggregate:unlink", **settings)
    assert lost_rounds(run.report) == {"device-1": 2}
    links = run.report["emulation"]["links"]
    ends = [("device-0", "device-2"), ("device-2", "device-0")]
    assert [(link["source"], link["target"]) for link in links] == ends
    assert run.report["wire"] == []
    assert_as_in_one_process(run, run.parameters())


def test_an_average_counts_for_all_who_are_left_or_for_none(killed_between: FinishedRun) -> None:
    assert lost_rounds(killed_between.report)["device-1"] in (2, 3)
    assert_as_in_one_process(killed_between, killed_between.parameters())


def test_a_resumed_run_makes_anew_what_some_have_not_kept(
    killed_between: FinishedRun, tmp_path: Path
) -> None:
    shutil.copytree(killed_between.job.folder, tmp_path, dirs_exist_ok=True)
    for name in ("run.json", "parameters.pt", "state-2-0-3.npz"):
        (tmp_path / name).unlink()
    with tiny_starts():
        report = resume(tmp_path)
    job = Job.read(tmp_path / "job.json")
    assert report["passed"]
    assert [entry["num_devices"] for entry in report["rounds"]] == [
        entry["num_devices"] for entry in killed_between.report["rounds"]
    ]
    assert_close(FinishedRun(job, report).parameters(), killed_between.parameters(), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["killed", "hung", "killed_between"])
def test_rounds_move_what_equation_7_says_of_who_is_left(name: str, request: pytest.FixtureRequest) -> None:
    report: dict[str, Any] = request.getfixturevalue(name).report
    assert report["passed"], report["failures"]
    for entry in report["rounds"]:
        assert entry["bytes_moved"] == entry["predicted_bytes_moved"]
        assert entry["collectives_complete"]
    assert (report["rounds"][-1]["bytes_moved"] == 0) == (name != "killed_between")


def test_nobody_is_timed_in_a_round_that_was_made_anew(killed: FinishedRun, hung: FinishedRun) -> None:
    between, alone = killed.report["rounds"][1], hung.report["rounds"][2]
    assert killed.report["totals"]["measured_round_s"] == between["time_s"]
    assert killed.report["totals"]["predicted_round_s"] == between["predicted_time_s"]
    assert hung.report["totals"]["measured_round_s"] == alone["time_s"]
    never_timed = next(one for one in hung.report["devices"] if one["id"] == "device-1")
    assert (never_timed["num_rounds"], never_timed["measured"]["step_s"]) == (1, None)


def test_the_report_says_who_was_lost_and_what_nobody_trains_any_more(killed: FinishedRun) -> None:
    report = killed.report
    assert json.loads((killed.job.folder / "run.json").read_text()) == report
    notes = "\n".join(report["notes"])
    expected = "device-1 was killed by signal 9 (aggregate, round 1); on from round 1 of plan by 2 devices"
    assert expected in notes
    updates = [{update.layer for update in device.updates} for device in canonical_plan().devices]
    assert notes.count("nobody updates weights of") == 1
    assert min(updates[1] - updates[2]) in notes
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(render(report))
    text = console.export_text()
    assert "device-0 (lost)" in text
    assert expected in text


def test_a_run_that_loses_all_devices_ends(killed: FinishedRun) -> None:
    rank, lost = 0, Lost("was killed by signal 9", "compute, round 3")
    with pytest.raises(RunError, match=r"(?s)^device-2 was killed.*no device is left$"):
        without_lost(killed.job, NodesLostError("device-2 was killed by signal 9", {rank: lost}))
    assert Job.read(killed.job.path).legs == killed.job.legs


def test_a_loss_after_the_last_round_changes_no_figure(killed_between: FinishedRun) -> None:
    folder, last = killed_between.job.folder, LostNode("device-2", "was killed by signal 9", "checkpoint")
    events = [*read_json(events_path(folder, 0)), *Journal(journal_path(folder, 1))]
    events += read_json(events_path(folder, 2))
    job = replace(killed_between.job, legs=(*killed_between.job.legs, Leg(Position(0, 3), (last,))))
    report = run_report(job, tiny_workload().layers(4), events, torch_version="0")
    assert (report["lost"][-1]["node"], report["lost"][-1]["round"]) == ("device-2", None)
    assert (
        "device-2 was killed by signal 9 (checkpoint); on after the last round by 1 device" in report["notes"]
    )
    assert not any(note.startswith("nobody trains biases") for note in report["notes"])
    for name in ("devices", "collectives", "rounds", "totals"):
        assert report[name] == killed_between.report[name]
