"""instance: sparse_update measured from MobileNetV2 on digits, and from a network of one's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import CommandLine

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("transformers")

from edgeplan.models.problems import load

TINY = ("--width", "0.1", "--image-size", "8", "--pretraining-epochs", "1", "--batch-size", "2")
MEMORY = ("--memory", "0.6..0.8")


@pytest.fixture(autouse=True, scope="module")
def _starts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEPLAN_CACHE", str(tmp_path_factory.mktemp("starts")))
        yield


def test_an_instance_goes_to_standard_output_and_a_summary_beside_it(edgeplan: CommandLine) -> None:
    called = edgeplan("instance", "sparse_update", *TINY, *MEMORY, "--devices", "3", "--seed", "4")
    document = json.loads(called.out)
    assert (called.code, document["problem"]) == (0, "sparse_update")
    assert [len(document[name]) for name in ("layers", "devices", "depth_contribution")] == [53, 3, 54]
    assert document["x-workload"]["seed"] == 4
    assert "mobilenetv2 (width 0.1, 8x8) on 3 devices, seed 4" in called.err
    assert "53 layers" in called.err
    assert "whatever is trained" in called.err


def test_the_same_options_write_the_same_bytes_and_a_problem_that_loads(
    edgeplan: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    for path in (one, two):
        monkeypatch.setenv("EDGEPLAN_CACHE", str(tmp_path / f"{path.stem}-starts"))
        assert edgeplan("instance", "sparse_update", *TINY, *MEMORY, "-o", path).code == 0
    assert one.read_bytes() == two.read_bytes()
    assert len(load(one).instance.devices) == 7


def test_options_are_the_figures_of_the_instance(edgeplan: CommandLine) -> None:
    called = edgeplan(
        "instance", "sparse_update", *TINY, "--memory", "1", "--ratios", "0.5,1", "--flops-per-s", "2e9",
        "--bit-per-s", "1e7", "--latency-s", "0.01", "--aggregation-weight", "3", "--momentum", "0",
        "--alpha", "0.5",
    )  # fmt: skip
    document = json.loads(called.out)
    assert {option["ratio"] for layer in document["layers"] for option in layer["options"]} == {0.5, 1.0}
    assert document["network"] == {"latency_s": 0.01, "bit_per_s": 1e7}
    assert document["objective"] == {"contribution": 1.0, "aggregation_s": 3.0}
    assert {device["flops_per_s"] for device in document["devices"]} == {2e9}
    assert {device["memory_bytes"] for device in document["devices"]} == {document["x-memory"]["dense_bytes"]}
    assert document["x-memory"]["momentum"] is False
    assert (document["x-workload"]["momentum"], document["x-workload"]["alpha"]) == (0.0, 0.5)


OWN = """
from torch import nn

def make():
    return nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 2))
"""


def test_a_network_of_one_s_own_comes_with_its_contributions(
    edgeplan: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_network.py").write_text(OWN)
    (tmp_path / "mine.csv").write_text("layer,ratio,contribution\n0,1,3\n2,1,4\n2,0,1\n")
    given = ("--model", "own_network:make", "--input-shape", "64", "--contribution", "mine.csv")
    called = edgeplan("instance", "sparse_update", *given, "--memory", "0.9..1")
    document = json.loads(called.out)
    assert [layer["options"][-1]["contribution"] for layer in document["layers"]] == [3.0, 4.0]
    assert document["depth_contribution"] == [0.0, 1.0, 1.0]
    assert "7 by all weights, 1 by all biases (mine.csv)" in called.err


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ["--model", "vgg11"],
            "--model: 'vgg11': must be mobilenetv2 or package.module:factory; write it so",
        ),
        (
            ["--ratios", "0.5,0.25"],
            "--ratios: '0.5,0.25': must be rising numbers above 0 and at most 1; write",
        ),
        (["--ratios", "0.5,1.5"], "--ratios: '0.5,1.5': must be rising"),
        (["--ratios", "half"], "--ratios: 'half': must be rising"),
        (
            ["--memory", "0.8..0.2"],
            "--memory: '0.8..0.2': must be a share above 0 or a range of shares; write",
        ),
        (["--memory", "lots"], "--memory: 'lots': must be a share"),
        (["--memory", "0.01..0.5"], "memory share 0.01: "),
        (["--flops-per-s", "0"], "--flops-per-s: 0: must be above 0 and finite; take such a number"),
        (["--bit-per-s", "-1"], "--bit-per-s: -1: must be above 0"),
        (["--alpha", "nan"], "--alpha: nan: must be above 0"),
        (
            ["--contribution", "prob"],
            "--contribution: 'prob': must be probe, gain or a CSV file; there is no",
        ),
        (
            ["--input-shape", "3,8,8"],
            "--input-shape: 3,8,8: says nothing about the network mobilenetv2; leave",
        ),
        (["--model", "a:b"], "--width: 0.1: says nothing about the network a:b; leave it out"),
    ],
)
def test_options_that_cannot_be_used_are_told_in_one_line(
    edgeplan: CommandLine, options: list[str], line: str
) -> None:
    called = edgeplan("instance", "sparse_update", *TINY, *options)
    assert (called.code, called.out, len(called.lines)) == (2, "", 1)
    assert called.lines[0].startswith(line)


@pytest.mark.parametrize("option", ["--devices", "--batch-size", "--width", "--image-size"])
def test_a_size_of_nothing_is_refused(edgeplan: CommandLine, option: str) -> None:
    assert edgeplan("instance", "sparse_update", option, "0").code == 2


def test_a_missing_folder_for_the_output_is_told_before_any_work(
    edgeplan: CommandLine, tmp_path: Path
) -> None:
    called = edgeplan("instance", "sparse_update", "-o", tmp_path / "absent" / "instance.json")
    assert called.code == 2
    assert "is no writable folder; make it first" in called.lines[0]


def test_help_teaches_the_group_and_the_problem(edgeplan: CommandLine) -> None:
    group, problem = edgeplan("instance", "--help"), edgeplan("instance", "sparse_update", "--help")
    assert "sparse_update" in group.out
    assert "Example: edgeplan instance sparse_update --model mobilenetv2" in " ".join(problem.out.split())
    for option in ("--model", "--memory", "--ratios", "--contribution", "--aggregation-weight", "--seed"):
        assert option in problem.out
