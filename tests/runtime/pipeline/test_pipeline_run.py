"""Runs of plans: what many processes do is what one would do, and moves what the problem says."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from schedules_that_run import (
    BLOCKS,
    PLAIN,
    FinishedRun,
    cluster,
    device,
    entry,
    finished,
    plan,
    problem,
    two_clusters,
    uneven,
)

pytest.importorskip("torch")

import torch
from rich.console import Console

from benchmarks.replayed_slots import replayed
from edgeplan.__main__ import main
from edgeplan.runtime.emulation.modes import AUTO, KERNEL, PROCESS
from edgeplan.runtime.learning.workload import flatten
from edgeplan.runtime.pipeline import Job, render
from edgeplan.runtime.pipeline.report.comparison import run_report
from edgeplan.runtime.processes.records import events_path, read_json
from edgeplan.runtime.profiling import build


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Make sums come out bit for bit as in the workers, which have one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def averaged(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Two clusters over two slots, 1F1B and Adam, on this machine as it is."""
    return finished(tmp_path_factory.mktemp("averaged"), two_clusters(), uneven(), PLAIN)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """One device with the whole encoder and momentum, links and speeds imposed by waiting; by command."""
    given = problem(cluster("c0", device("d0")), optimizer_bytes=4)
    stages = ("d0", BLOCKS)
    planned = plan([entry("c0", 3, stages)], [entry("c0", 2, stages)])
    folder = tmp_path_factory.mktemp("alone")
    words = ["run", str(folder / "instance.json"), str(folder / "result.json"), "--out", str(folder)]
    words += ["--emulation", "process", "--slower", "1", "--seed", "5", "--no-baseline"]
    (folder / "instance.json").write_text(json.dumps(given.to_document()))
    (folder / "result.json").write_text(json.dumps({"plan": planned.to_document()}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["edgeplan", *words])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 0
    return FinishedRun(Job.read(folder / "job.json"), read_json(folder / "run.json"))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Two stages by GPipe and plain SGD, on nodes made by the kernel where that can be."""
    given = problem(cluster("c0", device("d0"), device("d1")), optimizer_bytes=0, in_flight="gpipe")
    stages = ("d1", BLOCKS[:3]), ("d0", BLOCKS[3:])
    planned = plan([entry("c0", 3, *stages)], [entry("c0", 4, *stages)])
    settings = replace(PLAIN, emulation=AUTO, slower=1.0)
    return finished(tmp_path_factory.mktemp("filled"), given, planned, settings)


RUNS = pytest.mark.parametrize("name", ["averaged", "alone", "filled"])


@RUNS
def test_the_parameters_are_those_of_the_same_slots_replayed(
    name: str, request: pytest.FixtureRequest
) -> None:
    run: FinishedRun = request.getfixturevalue(name)
    found, expected = run.parameters(), replayed(run.job)
    assert torch.equal(found, expected)
    assert not torch.equal(found, flatten(list(build("char-transformer", seed=5).parameters())))


@RUNS
def test_every_hop_moves_what_the_equations_say_to_the_byte(
    name: str, request: pytest.FixtureRequest
) -> None:
    run: FinishedRun = request.getfixturevalue(name)
    segments, size = run.job.problem.segments, run.job.problem.instance.training.micro_batch_size
    for slot, told in zip(run.job.leg.plan.slots, run.report["rounds"], strict=True):
        expected = 0
        for planned in slot.clusters:
            assert planned.micro_batches is not None
            hop = 2 * size * 64 * 64 * 4  # an activation of 64 characters of width 64, and its gradient
            assert segments.hop_bits(0) == 8 * hop
            expected += planned.micro_batches * len(planned.stages) * hop + round(segments.upload_bits) // 8
        assert told["bytes_moved"] == expected
    assert run.report["passed"]
    assert run.report["totals"]["bytes_equal"]
    assert run.report["deviations"]["bytes"] == 0.0


def test_after_every_slot_all_clusters_hold_the_same_encoder(averaged: FinishedRun) -> None:
    assert [entry["encoders_equal"] for entry in averaged.report["rounds"]] == [True, True]
    prints = {
        (event["slot"], event["fingerprint"])
        for rank in range(len(averaged.job.cast))
        for event in read_json(events_path(averaged.job.folder, rank))
        if event["event"] == "averaged"
    }
    assert len(prints) == 2


def test_a_stage_holds_as_many_micro_batches_as_equation_6_says(averaged: FinishedRun) -> None:
    told = [(stage["node"], stage["in_flight"]) for stage in averaged.report["stages"]]
    assert told == [("d0", 4), ("d1", 2), ("d2", 2), ("d1", 2), ("d0", 2), ("d2", 2)]
    for stage in averaged.report["stages"]:
        (rank,) = (rank for rank, one in enumerate(averaged.job.cast) if one.name == stage["node"])
        passes = [
            event["event"]
            for event in read_json(events_path(averaged.job.folder, rank))
            if event.get("slot") == stage["round"] and event["event"] in ("forward", "backward")
        ]
        assert passes.index("backward") == stage["in_flight"]


def test_memory_is_near_the_predicted(averaged: FinishedRun) -> None:
    for stage in averaged.report["stages"]:
        ratio = stage["measured"]["memory_bytes"] / stage["predicted"]["memory_bytes"]
        assert 0.8 < ratio < 1.25


def test_the_network_learns(averaged: FinishedRun) -> None:
    assert averaged.report["totals"]["loss"] < averaged.report["totals"]["loss_before"]


def test_emulated_links_take_at_least_as_long_as_the_equations_say(alone: FinishedRun) -> None:
    for stage in alone.report["stages"]:
        assert stage["measured"]["transfer_out_s"] >= stage["predicted"]["transfer_out_s"]
    for told in alone.report["rounds"]:
        (entry,) = told["clusters"]
        assert entry["measured"]["upload_s"] >= entry["predicted"]["upload_s"]
    assert not list(alone.job.folder.glob("airtime-*"))


def test_rates_change_from_slot_to_slot(filled: FinishedRun) -> None:
    rates = [link["configured_bit_per_s"] for link in filled.report["emulation"]["links"]]
    assert len(rates) == len(set(rates)) == 4
    assert filled.report["emulation"]["mode"] in (KERNEL, PROCESS)
    assert not list(filled.job.folder.glob("switch-links.json"))


def test_every_byte_that_left_a_participant_is_one_of_its_messages(filled: FinishedRun) -> None:
    entries = filled.report["wire"]
    if filled.report["emulation"]["mode"] != KERNEL:
        assert entries == []
        return
    assert [one["round"] for one in entries] == [1] * 4 + [2] * 4
    for one in entries:
        assert one["wire_bytes"] == one["parameter_bytes"] + one["header_bytes"]
    assert [one["data_bytes"] for one in entries if one["node"] == "c0"] == [
        samples * 64 * 8 for samples in (6, 8)
    ]


def test_a_byte_that_is_in_no_message_fails_the_run(averaged: FinishedRun) -> None:
    ranks = range(len(averaged.job.cast))
    events = [event for rank in ranks for event in read_json(events_path(averaged.job.folder, rank))]
    counted = {"event": "wired", "rank": 0, "slot": 1, "sent_bytes": [0] * len(ranks)}
    entries = run_report(averaged.job, [*events, counted], torch_version="0")["wire"]
    explained = [one["parameter_bytes"] + one["header_bytes"] for one in entries]
    for more, passed in ((0, True), (1, False)):
        sent = {"sent_bytes": [explained[0] + more, *explained[1:]]}
        report = run_report(averaged.job, [*events, counted | sent], torch_version="0")
        assert report["passed"] == passed
    assert report["failures"][0].startswith("c0: ")


def test_the_report_is_the_file_and_plain_json(averaged: FinishedRun) -> None:
    assert json.loads((averaged.job.folder / "run.json").read_text()) == averaged.report
    assert averaged.report["instance_sha256"] == averaged.job.problem.instance_sha256
    assert [node["role"] for node in averaged.report["nodes"]] == [
        *("control unit", "device", "device", "server"),
        *("control unit", "device", "server"),
    ]


@RUNS
def test_the_tables_show_predicted_beside_measured(name: str, request: pytest.FixtureRequest) -> None:
    run: FinishedRun = request.getfixturevalue(name)
    text = shown(run.report)
    assert f"{run.report['rounds'][0]['bytes_moved']:,} =" in text
    assert "the averaged encoder back" in text
    assert f"emulation {run.report['emulation']['mode']}" in text


def shown(report: dict[str, Any]) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(render(report))
    return console.export_text()


def retold(run: FinishedRun, kind: str, **members: Any) -> dict[str, Any]:
    """The report, had the first event of a kind been another."""
    ranks = range(len(run.job.cast))
    events = [event for rank in ranks for event in read_json(events_path(run.job.folder, rank))]
    next(event for event in events if event["event"] == kind).update(members)
    return run_report(run.job, events, torch_version="0")


def test_a_byte_off_fails_the_run(averaged: FinishedRun) -> None:
    report = retold(averaged, "received", bytes=1)
    (failure,) = report["failures"]
    assert failure.startswith("slot 1, gradient of d1 to d0: predicted 163840 bytes, sent 163840")
    assert not report["passed"]
    assert not report["totals"]["bytes_equal"]
    assert "failed: slot 1, gradient" in shown(report)


def test_an_encoder_that_differs_after_the_average_fails_the_run(averaged: FinishedRun) -> None:
    report = retold(averaged, "averaged", fingerprint="another")
    assert report["failures"] == ["slot 1: the encoders of the clusters differ after the average"]


def test_a_run_farther_from_its_prediction_than_allowed_fails(averaged: FinishedRun) -> None:
    settings = replace(averaged.job.settings, tolerances={"bytes": 0.0, "memory": 0.0})
    report = retold(replace(averaged, job=replace(averaged.job, settings=settings)), "measured")
    (failure,) = report["failures"]
    assert failure.startswith("memory: ")


def test_the_trace_has_what_was_planned_and_what_was_measured(averaged: FinishedRun) -> None:
    spans = [one for one in read_json(averaged.job.folder / "trace.json")["traceEvents"] if one["ph"] == "X"]
    names = [one["name"] for one in spans]
    device_passes, decoder_passes = 5 * 2 + 2 + 2 * 2 + 3, 5 + 2 + 2 + 3
    assert names.count("forward and backward") == device_passes
    assert names.count("forward") == names.count("backward") == device_passes + decoder_passes
    assert names.count("upload") == 2 * 4


def test_no_prediction_is_a_diverged_loss(averaged: FinishedRun) -> None:
    report = retold(averaged, "scored", slot=0, loss=None)
    assert report["totals"]["loss_before"] is None
    assert "loss before" in shown(report)
