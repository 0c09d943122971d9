"""Runs of plans: what three processes do is what one would do, and moves what the problem says."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kernel_emulation import require_kernel
from sparse_runs import PLAIN, FinishedRun, canonical_plan, finished, free_plan, problem
from tier import LARGE_ONLY
from tiny_workloads import tiny_workload

pytest.importorskip("torch")

import torch
from rich.console import Console
from torch.testing import assert_close

from benchmarks.replayed_updates import replayed
from edgeplan.api import simulate
from edgeplan.runtime.emulation.modes import KERNEL
from edgeplan.runtime.processes.records import events_path, read_json
from edgeplan.runtime.sparse.execution import render
from edgeplan.runtime.sparse.execution.exchange.ways import GLOO
from edgeplan.runtime.sparse.execution.report.comparison import run_report


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """The same updates with one free collective, by torch.distributed."""
    given = problem(collectives="free")
    settings = replace(PLAIN, collectives=GLOO, baseline="none")
    return finished(tmp_path_factory.mktemp("free"), given, free_plan(given), settings)


def test_the_parameters_are_those_of_the_same_rounds_in_one_process(canonical: FinishedRun) -> None:
    for replica in replayed(canonical.job):
        assert_close(canonical.parameters(), replica, rtol=0, atol=0)
    start = tiny_workload().start().state_dict()
    assert any(not torch.equal(tensor, start[name]) for name, tensor in canonical.parameters().items())


def test_free_collectives_by_gloo_end_where_canonical_ones_by_messages_end(
    canonical: FinishedRun, free: FinishedRun
) -> None:
    assert_close(free.parameters(), canonical.parameters(), rtol=1e-4, atol=1e-6)


def test_every_round_moves_what_equation_7_says_to_the_byte(canonical: FinishedRun) -> None:
    predicted = canonical.job.problem.metrics(canonical.job.plan)
    report = canonical.report
    assert report["passed"]
    assert [entry["bytes_moved"] for entry in report["rounds"]] == [predicted["bytes_moved"]] * 3
    sent = [device["measured"]["sent_bytes_per_round"] for device in report["devices"]]
    assert sum(sent) == predicted["bytes_moved"]
    assert report["totals"]["bytes_equal"]
    assert all(entry["collectives_complete"] for entry in report["rounds"])


def test_collectives_and_groups_are_as_many_as_predicted(canonical: FinishedRun) -> None:
    predicted = canonical.job.problem.metrics(canonical.job.plan)
    totals = canonical.report["totals"]
    assert len(canonical.report["collectives"]) == predicted["num_collectives"] > 2
    assert totals["measured_num_collectives"] == predicted["num_collectives"]
    assert totals["measured_num_groups"] == predicted["num_groups"]


def test_the_baseline_is_dense_data_parallelism_as_the_problem_counts_it(canonical: FinishedRun) -> None:
    fused = canonical.job.problem.metrics(canonical.job.plan)["dense"]["fused"]
    baseline = canonical.report["baseline"]
    assert (baseline["name"], baseline["device_iterations"]) == ("dense", 3 * 3 * 2)
    assert baseline["bytes_per_round"] == fused["bytes_moved"]
    assert baseline["totals"]["predicted_aggregation_s"] == pytest.approx(fused["aggregation_s"])
    assert baseline["totals"]["measured_num_collectives"] == fused["num_collectives"] == 1
    for device, told in zip(baseline["devices"], fused["devices"], strict=True):
        assert device["predicted"]["memory_bytes"] == told["memory_bytes"]
        assert device["predicted"]["step_s"] == told["step_s"]


def test_memory_is_at_most_the_predicted_and_saved_bytes_are_exact(canonical: FinishedRun) -> None:
    predicted = canonical.job.problem.metrics(canonical.job.plan)["devices"]
    for device, told in zip(canonical.report["devices"], predicted, strict=True):
        assert device["predicted"]["memory_bytes"] == told["memory_bytes"]
        assert 0.6 * told["memory_bytes"] < device["measured"]["memory_bytes"] <= told["memory_bytes"]
        assert device["measured"]["saved_bytes"] == device["predicted"]["saved_bytes"]
        assert device["measured"]["saved_bytes"] < device["measured"]["eager_saved_bytes"]


def test_scores_are_taken_every_few_rounds_and_at_the_end(canonical: FinishedRun) -> None:
    scored = [entry["round"] for entry in canonical.report["rounds"] if entry["accuracy"] is not None]
    assert scored == [2, 3]
    assert canonical.report["totals"]["loss"] < tiny_workload().evaluate(tiny_workload().start()).loss
    assert canonical.report["baseline"]["accuracy"] == canonical.report["baseline"]["totals"]["accuracy"]


def test_gloo_s_own_bytes_are_not_counted_and_its_buffers_are(free: FinishedRun) -> None:
    assert free.report["passed"]
    assert free.report["totals"]["bytes_equal"] is None
    assert [entry["bytes_moved"] for entry in free.report["rounds"]] == [None] * 3
    (collective,) = free.report["collectives"]
    assert collective["num_bytes"] == 4 * sum(one.parameters for one in free.job.phases[0].cost.updated)
    assert free.report["baseline"] is None


def test_the_report_is_the_file_and_plain_json(canonical: FinishedRun) -> None:
    assert json.loads((canonical.job.folder / "run.json").read_text()) == canonical.report
    assert canonical.report["instance_sha256"] == canonical.job.problem.instance_sha256


@pytest.mark.parametrize("name", ["canonical", "free"])
def test_the_tables_show_predicted_beside_measured(name: str, request: pytest.FixtureRequest) -> None:
    run: FinishedRun = request.getfixturevalue(name)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(render(run.report))
    text = console.export_text()
    moved = run.report["totals"]["predicted_bytes_per_round"]
    assert (f"{moved:,} =" if name == "canonical" else f"{moved:,} / not counted") in text
    assert ("dense accuracy" in text) == (name == "canonical")
    assert "momentum stays with its device" in text
    way = "collectives emulated: a ring" if name == "canonical" else "collectives gloo: all-reduce"
    assert f"note: {way}" in text


def retold(run: FinishedRun, kind: str, **members: Any) -> dict[str, Any]:
    """The report, had the first event of a kind been another."""
    ranks = range(len(run.job.names))
    events = [event for rank in ranks for event in read_json(events_path(run.job.folder, rank))]
    next(event for event in events if event["event"] == kind).update(members)
    return run_report(run.job, tiny_workload().layers(4), events, torch_version="0")


def test_a_byte_off_fails_the_run(canonical: FinishedRun) -> None:
    report = retold(canonical, "aggregated", sent_bytes=1)
    assert not report["passed"]
    (failure,) = report["failures"]
    assert failure.startswith(
        f"plan, round 1: predicted {report['totals']['predicted_bytes_per_round']} bytes"
    )
    assert not report["totals"]["bytes_equal"]
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(render(report))
    assert "differs" in (text := console.export_text())
    assert "failed: plan, round 1" in text


@pytest.mark.parametrize("buffers", [[], [[0, 1]]])
def test_a_collective_left_out_or_of_another_size_fails_the_run(
    canonical: FinishedRun, buffers: list[list[int]]
) -> None:
    report = retold(canonical, "aggregated", buffers=buffers)
    assert report["failures"] == [
        "plan, round 1: the collectives run are not those predicted, or their buffers differ"
    ]


def test_the_trace_has_what_was_planned_and_what_was_measured(canonical: FinishedRun) -> None:
    events = read_json(canonical.job.folder / "trace.json")["traceEvents"]
    spans = [one for one in events if one["ph"] == "X"]
    assert sum(one["name"] == "train" for one in spans) == 2 * 3 * PLAIN.rounds
    assert sum(one["name"] == "aggregate" for one in spans) == 3 * PLAIN.rounds
    members = sum(len(one.members) for one in canonical.job.phases[0].cost.collectives)
    assert sum("collective" in one["args"] for one in spans) == members * PLAIN.rounds


def test_a_run_farther_from_its_prediction_than_allowed_fails(canonical: FinishedRun) -> None:
    assert canonical.report["deviations"]["bytes"] == 0.0
    settings = replace(canonical.job.settings, tolerances={"bytes": 0.0, "memory": 0.0})
    report = retold(replace(canonical, job=replace(canonical.job, settings=settings)), "measured")
    (failure,) = report["failures"]
    assert failure.startswith("memory: ")


def test_a_step_beyond_its_device_s_memory_fails_the_run(canonical: FinishedRun) -> None:
    limit = canonical.report["devices"][0]["limit_bytes"]
    report = retold(canonical, "measured", peak_bytes=limit + 1)
    assert report["failures"] == [f"device device-0: a step took {limit + 1} bytes, more than its {limit}"]


def test_what_diverged_is_told_and_shown_without_a_number(canonical: FinishedRun) -> None:
    report = retold(canonical, "trained", loss=None)
    assert any("from round 1 of the plan on the loss is no number" in note for note in report["notes"])
    Console(file=io.StringIO()).print(render(report))


def test_another_start_is_told(canonical: FinishedRun) -> None:
    job = replace(canonical.job, same_start=False)
    report = retold(FinishedRun(job, {}), "trained")
    assert any("made from another start" in note for note in report["notes"])


@LARGE_ONLY
def test_devices_made_by_the_kernel_train_the_same_parameters(canonical: FinishedRun, tmp_path: Path) -> None:
    require_kernel()
    settings = replace(PLAIN, emulation=KERNEL, baseline="none")
    run = finished(tmp_path, canonical.job.problem, canonical.job.plan, settings)
    assert run.report["passed"]
    emulation = run.report["emulation"]
    assert (emulation["mode"], len(emulation["links"]), len(emulation["speeds"])) == (KERNEL, 3, 3)
    assert emulation["slower"] >= 1.0
    assert all(link["achieved_latency_s"] > link["configured_latency_s"] for link in emulation["links"])
    assert [entry["node"] for entry in run.report["wire"]] == list(run.job.names)
    for entry in run.report["wire"]:
        assert 0 <= entry["wire_bytes"] - entry["parameter_bytes"] <= entry["header_bytes"]
    assert_close(run.parameters(), canonical.parameters(), rtol=0, atol=0)


def test_executed_rounds_move_the_bytes_of_simulated_ones(canonical: FinishedRun) -> None:
    steps = canonical.job.settings.local_steps
    simulation = simulate(problem(), canonical_plan(), rounds=20, jitter=["10%"], local_steps=steps)
    executed = {entry["bytes_moved"] for entry in canonical.report["rounds"]}
    assert executed == {simulation.bytes_moved.least} == {simulation.bytes_moved.largest}
    assert simulation.predicted.time_s == pytest.approx(canonical.report["totals"]["predicted_round_s"])
