"""Runs of layer_assignment's pipelines: what two nodes do is what one would do, and moves what (10) says."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import torch
from pipelines_that_run import SETTINGS, STAGES, FinishedRun, model, plan, problem, training
from rich.console import Console
from torch.nn import functional

import edgeplan
from edgeplan.__main__ import main
from edgeplan.errors import UsageError
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.runtime.data.shards import sample_order
from edgeplan.runtime.learning.workload import flatten
from edgeplan.runtime.pipeline.batches import BatchJob, RunSettings, prepare, render
from edgeplan.runtime.pipeline.batches.report import run_report
from edgeplan.runtime.processes.records import events_path, read_json
from edgeplan.runtime.profiling import build


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Two batches over two stages, 1F1B and momentum."""
    folder = tmp_path_factory.mktemp("batches")
    settings = {name: value for name, value in SETTINGS.to_document().items() if value is not None}
    report = edgeplan.run(problem(), plan(), out=folder, **settings)
    return FinishedRun(BatchJob.read(folder / "job.json"), report)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Make sums come out bit for bit as in the workers, which have one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_the_parameters_are_those_of_the_same_batches_in_one_process(finished: FinishedRun) -> None:
    images, network = finished.job.images("training"), build("small-vgg", seed=4)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9, fused=True)
    for number in range(2):
        some = torch.from_numpy(sample_order(4, 0, len(images.targets), 16 * number, 16))
        for part in some.chunk(4):
            functional.cross_entropy(network(images.inputs[part]), images.targets[part]).backward()
        for parameter in network.parameters():
            assert parameter.grad is not None
            parameter.grad /= 4
        optimizer.step()
        optimizer.zero_grad()
    found = np.load(finished.job.folder / "parameters.npy", allow_pickle=False)
    assert torch.equal(torch.from_numpy(found), flatten(list(network.parameters())))


def test_every_batch_moves_what_equation_10_says_to_the_byte(finished: FinishedRun) -> None:
    predicted = problem().metrics(plan())
    report = finished.report
    assert report["passed"]
    assert [entry["bytes_moved"] for entry in report["rounds"]] == [predicted["bytes_moved"]] * 2
    for stage, told in zip(report["stages"], predicted["stages"], strict=True):
        assert stage["measured"]["bytes_in"] == told["bytes_in"]
        assert stage["measured"]["bytes_out"] == told["bytes_out"]


def test_memory_is_near_the_predicted(finished: FinishedRun) -> None:
    for stage, told in zip(finished.report["stages"], problem().metrics(plan())["stages"], strict=True):
        assert 0.6 * told["memory_bytes"] < stage["measured"]["memory_bytes"] < 1.1 * told["memory_bytes"]


def test_the_report_is_the_file_and_its_tables_show_it(finished: FinishedRun) -> None:
    assert json.loads((finished.job.folder / "run.json").read_text()) == finished.report
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(render(finished.report))
    moved = finished.report["totals"]["predicted_bytes_per_round"]
    assert f"{moved:,} =" in console.export_text()


def test_a_byte_off_fails_the_batch(finished: FinishedRun) -> None:
    events = [event for rank in (0, 1) for event in read_json(events_path(finished.job.folder, rank))]
    next(event for event in events if event["event"] == "received").update(bytes=1)
    report = run_report(finished.job, events, torch_version="0")
    (failure,) = report["failures"]
    assert failure.startswith("batch 1, gradient of node-1 to node-0: predicted ")
    assert not report["passed"]


def test_a_byte_on_the_wire_that_no_message_explains_fails_the_run(finished: FinishedRun) -> None:
    assert finished.report["wire"] == []  # nobody counts where processes wait
    events = [event for rank in (0, 1) for event in read_json(events_path(finished.job.folder, rank))]
    counted = {"event": "wired", "rank": 0, "leg": 0, "batch": 1}
    report = run_report(finished.job, [*events, counted | {"sent_bytes": [0, 0]}], torch_version="0")
    assert report["passed"]
    explained = [entry["parameter_bytes"] + entry["header_bytes"] for entry in report["wire"]]
    explained[1] += 1
    report = run_report(finished.job, [*events, counted | {"sent_bytes": explained}], torch_version="0")
    (failure,) = report["failures"]
    assert failure.startswith("node-1: ")


def test_the_trace_has_every_pass(finished: FinishedRun) -> None:
    spans = [one for one in read_json(finished.job.folder / "trace.json")["traceEvents"] if one["ph"] == "X"]
    names = [one["name"] for one in spans]
    assert [names.count(name) for name in ("forward and backward", "forward", "backward")] == [16, 16, 16]


def refusal(
    folder: Path, given: LayerAssignment, settings: RunSettings = SETTINGS, planned: Plan | None = None
) -> str:
    with pytest.raises(UsageError) as caught:
        prepare(given, planned or plan(), settings, out=folder / "out")
    assert not (folder / "out").exists()
    (line,) = caught.value.lines()
    return line


def test_an_option_of_the_serial_schedule_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"instance.json": problem().to_document(), "result.json": {"plan": plan().to_document()}}
    for name, document in files.items():
        (tmp_path / name).write_text(json.dumps(document))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["edgeplan", "run", *files, "--alpha", "3", "--out", "out"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "--alpha: 3.0: says nothing about schedule pipeline; leave it out\n"
    assert not (tmp_path / "out").exists()


def test_inference_is_refused(tmp_path: Path) -> None:
    given = problem(training=training(**{"pass": "inference"}))
    assert refusal(tmp_path, given).startswith('/training/pass: "inference": a run trains')


def test_a_baseline_is_refused(tmp_path: Path) -> None:
    settings = replace(SETTINGS, baseline="fedavg")
    assert refusal(tmp_path, problem(), settings).startswith("baseline 'fedavg': a pipeline has none")


def test_another_output_is_refused_with_both_numbers(tmp_path: Path) -> None:
    layers = [layer | ({"output_bytes": 12} if k == 1 else {}) for k, layer in enumerate(model()["layers"])]
    line = refusal(tmp_path, problem(model=model() | {"layers": layers}))
    assert line.startswith("/model/layers/1/output_bytes: 12: layer features.2 puts out 4096 bytes a sample")


def test_layers_in_another_order_are_refused(tmp_path: Path) -> None:
    first, second, *rest = model()["layers"]
    given = problem(model=model() | {"layers": [second | {"inputs": None}, first | {"inputs": None}, *rest]})
    stages = [
        {"node": "node-0", "layers": ["features.2", "features.0"]},
        {"node": "node-1", "layers": list(STAGES[1])},
    ]
    line = refusal(tmp_path, given, planned=Plan.from_document({"stages": stages}))
    assert line.startswith("/model/layers/0/name: features.2: must be layer 0 of the chain")
