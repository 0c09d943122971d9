"""run: a plan of sparse_update on an instance that edgeplan instance has made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine, write

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("transformers")

TINY = ("--width", "0.1", "--image-size", "8", "--pretraining-epochs", "1", "--batch-size", "2")
UNLIKE = ((5, 1.0), (20, 0.25), (20, 0.5))


@pytest.fixture(autouse=True, scope="module")
def _starts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEPLAN_CACHE", str(tmp_path_factory.mktemp("starts")))
        yield


@pytest.fixture
def document(edgeplan: CommandLine) -> dict[str, Any]:
    """Three devices with room for everything."""
    made: dict[str, Any] = json.loads(
        edgeplan("instance", "sparse_update", *TINY, "--memory", "1", "--devices", "3").out
    )
    return made


def plan_of(document: dict[str, Any]) -> dict[str, Any]:
    devices = [
        {
            "id": device["id"],
            "depth": depth,
            "updates": [{"layer": layer["name"], "ratio": ratio} for layer in document["layers"][-5:]],
        }
        for device, (depth, ratio) in zip(document["devices"], UNLIKE, strict=True)
    ]
    return {"plan": {"devices": devices}}


def general_network(document: dict[str, Any]) -> dict[str, Any]:
    nodes = [
        {"id": device["id"], "flops_per_s": 1e9, "memory_bytes": 1, "latency_s": 5e-5}
        for device in document["devices"]
    ]
    return {"nodes": nodes}


def test_a_plan_runs_on_a_general_network_with_trees_and_slices_on_their_own(
    edgeplan: CommandLine, tmp_path: Path, document: dict[str, Any]
) -> None:
    changed = {"network": general_network(document), "broadcast": "tree", "fuse": False}
    instance = write(tmp_path / "instance.json", document | changed)
    result = write(tmp_path / "result.json", plan_of(document))
    called = edgeplan(
        "run", instance, result, "--out", tmp_path / "run", "--rounds", "1", "--no-baseline", "--json"
    )
    report = json.loads(called.out)
    assert called.code == 0
    assert report["passed"]
    assert report["totals"]["bytes_equal"]
    assert len(report["collectives"]) > 30
    assert (report["settings"]["rounds"], report["baseline"]) == (1, None)
    assert any("a tree broadcast" in note for note in report["notes"])
    assert any("the slowest pair" in note for note in report["notes"])
    assert json.loads((tmp_path / "run" / "run.json").read_text()) == report


def test_an_instance_without_a_workload_is_refused_in_one_line(
    edgeplan: CommandLine, tmp_path: Path, document: dict[str, Any]
) -> None:
    bare = {name: value for name, value in document.items() if name != "x-workload"}
    instance = write(tmp_path / "instance.json", bare)
    result = write(tmp_path / "result.json", plan_of(document))
    called = edgeplan("run", instance, result, "--out", tmp_path / "run")
    (line,) = called.lines
    assert called.code == 2
    assert line.startswith("/x-workload: is missing: must say what is trained; make the instance by edgeplan")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--network", "vgg11"], "--network: vgg11: says nothing about sparse_update; leave it out"),
        (["--data", "digits"], "--data: digits: says nothing about sparse_update; leave it out"),
        (["--alpha", "2"], "--alpha: 2.0: says nothing about sparse_update; leave it out"),
        (["--learning-rate", "1"], "--learning-rate: 1.0: says nothing about sparse_update; leave it out"),
        (["--schedule", "cosine"], "--schedule: cosine: says nothing about sparse_update; leave it out"),
        (["--noise", "1"], "--noise: 1.0: says nothing about sparse_update; leave it out"),
        (["--clip", "1"], "--clip: 1.0: says nothing about sparse_update; leave it out"),
        (["--distill", "1"], "--distill: 1.0: says nothing about sparse_update; leave it out"),
        (["--distill-above", "0"], "--distill-above: 0.0: says nothing about sparse_update; leave it out"),
        (["--temperature", "2"], "--temperature: 2.0: says nothing about sparse_update; leave it out"),
        (["--spares", "1"], "--spares: 1: says nothing about sparse_update; leave it out"),
        (["--fault", "pi-9:1:compute:kill"], "--fault: 'pi-9' takes no part in the run; name one of "),
        (["--baseline", "fedavg"], "baseline 'fedavg': must be dense or none; use one of them"),
        (["--collectives", "mpi"], "collectives 'mpi': must be emulated or gloo; use one of them"),
        (["--baseline", "dense", "--no-baseline"], "--no-baseline: contradicts --baseline dense; leave one"),
    ],
)
def test_options_that_do_not_fit_are_told_in_one_line(
    edgeplan: CommandLine, tmp_path: Path, document: dict[str, Any], options: list[str], line: str
) -> None:
    instance = write(tmp_path / "instance.json", document)
    result = write(tmp_path / "result.json", plan_of(document))
    called = edgeplan("run", instance, result, "--out", tmp_path / "run", *options)
    assert (called.code, called.out, len(called.lines)) == (2, "", 1)
    assert called.lines[0].startswith(line)


@pytest.mark.parametrize("option", ["--rounds", "--local-steps"])
def test_none_of_what_must_be_some_is_refused(edgeplan: CommandLine, option: str) -> None:
    assert edgeplan("run", "instance.json", "result.json", option, "0").code == 2
