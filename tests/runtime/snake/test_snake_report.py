from __future__ import annotations

import copy
import io
import json
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("torch")

from rich.console import Console
from snake_instances import Finished, document, plan
from snake_networks import normed

from edgeplan.api import simulate
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.records import Event, journal_path
from edgeplan.runtime.processes.stopwatch import Spent
from edgeplan.runtime.snake import render
from edgeplan.runtime.snake.report.comparison import run_report

FULL_STEP = Spent(0.5, 0.5)


def _events(run: Finished) -> list[Event]:
    seats = range(run.job.world_size)
    return [event for seat in seats for event in Journal(journal_path(run.job.folder, seat))]


def _report(run: Finished, events: list[Event], buffers: tuple[str, ...] = ()) -> dict[str, Any]:
    return run_report(run.job, events, full_step=FULL_STEP, buffers=buffers, torch_version="0")


def _changed(run: Finished, kind: str, **members: Any) -> dict[str, Any]:
    events = copy.deepcopy(_events(run))
    next(event for event in events if event["event"] == kind).update(members)
    return _report(run, events)


def test_the_report_is_the_file_and_plain_json(by_peers: Finished) -> None:
    written = (by_peers.job.folder / "run.json").read_text()
    assert json.loads(written) == by_peers.report
    assert by_peers.report["kind"] == "run"
    assert by_peers.report["instance_sha256"] == by_peers.job.problem.instance_sha256


@pytest.mark.parametrize("kind", ["sent", "received"])
def test_one_byte_off_at_either_end_of_a_hop_fails_the_run(by_server: Finished, kind: str) -> None:
    report = _changed(by_server, kind, bytes=1)
    assert not report["passed"]
    assert not report["totals"]["bytes_equal"]
    assert len(report["failures"]) == 1
    assert report["failures"][0].startswith("round 1, hub to node-0: predicted") or kind == "sent"


def test_the_trace_has_what_was_planned_and_what_was_measured(by_peers: Finished) -> None:
    events = json.loads((by_peers.job.folder / "trace.json").read_text())["traceEvents"]
    lanes = [[one for one in events if one["pid"] == lane and one["ph"] == "X"] for lane in (0, 1)]
    trained = [[one["args"]["round"] for one in lane if one["name"] == "train"] for lane in lanes]
    assert trained[0] == trained[1] == [number for number in range(1, 6) for _ in range(3)]
    measured_s = sum(one["dur"] for one in lanes[1] if one["name"] == "train") / 1e6
    timelines = (entry["timeline"] for entry in by_peers.report["rounds"])
    assert measured_s == pytest.approx(sum(visit["compute_s"] for visits in timelines for visit in visits))


def test_a_run_farther_from_its_prediction_than_allowed_fails(by_server: Finished) -> None:
    deviations = by_server.report["deviations"]
    assert deviations["bytes"] == 0.0
    assert deviations["transfer"] is None  # links without limits
    assert all(deviations[name] > 0 for name in ("memory", "compute", "round"))
    for tolerances, passed in (({"bytes": 0.0, "round": 1e9}, True), ({"round": 0.0}, False)):
        settings = replace(by_server.job.settings, tolerances=tolerances)
        job = replace(by_server.job, settings=settings)
        report = _report(replace(by_server, job=job), _events(by_server))
        assert report["passed"] == passed
        assert any(failure.startswith("round: ") for failure in report["failures"]) != passed


def test_a_stage_that_trains_nothing_fails_the_run(by_server: Finished) -> None:
    report = _changed(by_server, "trained", trained_changed=False)
    assert report["failures"] == ["round 1, node-0: the parameters that it trains did not change"]


def test_a_failure_stands_in_the_table(by_server: Finished) -> None:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(render(_changed(by_server, "received", bytes=1)))
    text = console.export_text()
    assert "failed: round 1" in text
    assert "differs" in text


def test_what_diverged_is_told_and_shown_without_a_number(by_server: Finished) -> None:
    report = _changed(by_server, "scored", loss=None)
    assert any("training diverged: from round 1 on" in note for note in report["notes"])
    Console(file=io.StringIO()).print(render(report))


def test_a_missed_window_and_a_faster_node_are_told(by_server: Finished) -> None:
    report = _changed(by_server, "trained", window_missed=True)
    assert any(note.startswith("1 visits found no window") for note in report["notes"])
    assert any("could not be imitated" in note for note in report["notes"])


def test_buffers_are_told(by_peers: Finished) -> None:
    names = tuple(name for name, _ in normed().named_buffers())
    report = _report(by_peers, _events(by_peers), names)
    assert any("buffers such as 2.running_mean" in note for note in report["notes"])


def test_what_the_plan_counts_otherwise_than_the_run_is_told(by_peers: Finished) -> None:
    given = by_peers.job.problem
    training = given.to_document()["training"] | {
        "gradient_bytes": 2,
        "frozen_weight_bytes": 1,
        "reserve_bytes": 7,
    }
    network = given.to_document()["network"]
    network["nodes"][0]["samples"] = 10
    changed = replace(by_peers.job, problem=given.replace(training=training, network=network))
    notes = " ".join(_report(Finished(changed, {}), _events(by_peers))["notes"])
    for told in ("7 reserved bytes", "2 bytes for a gradient", "1 bytes for a frozen weight", "not imposed"):
        assert told in notes


def test_predicted_figures_are_those_of_the_problem(by_server: Finished) -> None:
    metrics = by_server.job.problem.metrics(by_server.job.plan)
    for stage, told in zip(by_server.report["stages"], metrics["stages"], strict=True):
        for name in ("bytes_in", "bytes_out", "compute_s", "transfer_in_s", "transfer_out_s", "memory_bytes"):
            assert stage["predicted"][name] == told[name]
    assert by_server.report["totals"]["predicted_round_s"] == metrics["time_s"]


def test_the_instances_of_these_tests_have_plans_without_violations() -> None:
    from edgeplan.models.layer_assignment import LayerAssignment

    layers = tuple(layer["name"] for layer in document()["model"]["layers"])
    assert LayerAssignment.from_document(document()).check(plan(layers)).feasible


@pytest.mark.parametrize("name", ["by_peers", "by_server"])
def test_executed_rounds_move_the_bytes_of_simulated_ones(name: str, request: pytest.FixtureRequest) -> None:
    run: Finished = request.getfixturevalue(name)
    simulation = simulate(run.job.problem, run.job.plan, rounds=20, jitter=["10%"], seed=2)
    executed = {entry["bytes_moved"] for entry in run.report["rounds"]}
    assert executed == {simulation.bytes_moved.least} == {simulation.bytes_moved.largest}
    assert simulation.predicted.time_s == run.report["totals"]["predicted_round_s"]
    assert simulation.instance_sha256 == run.report["instance_sha256"]


def test_the_notes_say_whose_memory_is_less_than_what_was_measured(by_peers: Finished) -> None:
    report = _changed(by_peers, "measured", memory_bytes=10**9 + 1)
    assert "node-0 would need 1000000001 bytes for its visits and has 1000000000" in report["notes"]
    assert not any("would need" in note for note in by_peers.report["notes"])
