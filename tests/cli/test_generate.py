"""generate: instances from a seed, and the encoder blocks of a profile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import CommandLine, write
from small_instances import layer

from edgeplan.models.problems import load

PROFILE = {
    "name": "net",
    "layers": [
        layer("embed"),
        *(layer(f"block.{k}", parameters=1000, inputs=["embed"]) for k in range(3)),
        layer("head"),
    ],
}
SMALL = ("--clusters", "1", "--devices", "2", "--slots", "2")


def test_an_instance_goes_to_standard_output_and_a_summary_beside_it(edgeplan: CommandLine) -> None:
    called = edgeplan("generate", "segment_scheduling", *SMALL, "--blocks", "3", "--seed", "5")
    document = json.loads(called.out)
    assert (called.code, document["problem"]) == (0, "segment_scheduling")
    assert len(document["model"]["layers"]) == 3
    assert "3 blocks of bert-base, 1 clusters x 2 devices, seed 5" in called.err


def test_the_same_seed_writes_the_same_bytes(edgeplan: CommandLine, tmp_path: Path) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    for path in (one, two):
        assert edgeplan("generate", "segment_scheduling", *SMALL, "--trace", "-o", path).code == 0
    assert one.read_bytes() == two.read_bytes()
    assert load(one).instance.name == load(two).instance.name


@pytest.mark.parametrize("section", [PROFILE, {"model": PROFILE, "timings": {}}])
def test_the_blocks_of_a_profile_are_its_largest_family_of_layers(
    edgeplan: CommandLine, tmp_path: Path, section: dict[str, object]
) -> None:
    path = write(tmp_path / "model.json", section)
    called = edgeplan("generate", "segment_scheduling", *SMALL, "--profile", path)
    model = json.loads(called.out)["model"]
    assert (called.code, model["name"]) == (0, "net")
    assert [block["name"] for block in model["layers"]] == ["block.0", "block.1", "block.2"]
    assert all("inputs" not in block for block in model["layers"])


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--blocks", "2"], ["block.0", "block.1"]),
        (["--layers", "e[mn]|head"], ["embed", "head"]),
        (["--layers", "block", "--blocks", "1"], ["block.0"]),
        (["--layers", ""], ["embed", "block.0", "block.1", "block.2", "head"]),
    ],
)
def test_the_blocks_of_a_profile_can_be_chosen(
    edgeplan: CommandLine, tmp_path: Path, options: list[str], names: list[str]
) -> None:
    path = write(tmp_path / "model.json", PROFILE)
    called = edgeplan("generate", "segment_scheduling", *SMALL, "--profile", path, *options)
    assert [block["name"] for block in json.loads(called.out)["model"]["layers"]] == names


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--blocks", "4"], "--blocks: 4: must be at most 3, what the profile has"),
        (["--layers", "x"], "--layers: 'x': must be found in the name of a layer; none has it"),
        (["--layers", "("], "--layers: '(': must be a regular expression; missing ), unterminated"),
    ],
)
def test_a_choice_of_no_blocks_is_told_in_one_line(
    edgeplan: CommandLine, tmp_path: Path, options: list[str], line: str
) -> None:
    path = write(tmp_path / "model.json", PROFILE)
    called = edgeplan("generate", "segment_scheduling", *SMALL, "--profile", path, *options)
    assert (called.code, called.out) == (2, "")
    assert called.lines[0].startswith(line)


def test_a_faulty_profile_is_told_with_its_pointers(edgeplan: CommandLine, tmp_path: Path) -> None:
    path = write(tmp_path / "model.json", {"layers": [layer("a", parameters=-1), layer("a")]})
    called = edgeplan("generate", "segment_scheduling", "--profile", path)
    assert (called.code, [line.split(":")[0] for line in called.lines]) == (
        2,
        ["/layers/0/parameters", "/layers/1/name"],
    )


@pytest.mark.parametrize("option", ["--clusters", "--devices", "--blocks", "--micro-batches", "--slots"])
def test_a_size_of_nothing_is_refused(edgeplan: CommandLine, option: str) -> None:
    assert edgeplan("generate", "segment_scheduling", option, "0").code == 2


def test_help_teaches_the_group_and_the_problem(edgeplan: CommandLine) -> None:
    group, problem = edgeplan("generate", "--help"), edgeplan("generate", "segment_scheduling", "--help")
    assert "segment_scheduling" in group.out
    for option in (
        "--clusters",
        "--devices",
        "--blocks",
        "--micro-batches",
        "--slots",
        "--seed",
        "--profile",
    ):
        assert option in problem.out


def test_devices_of_sparse_update_have_as_many_memories_as_asked(
    edgeplan: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "instance.json"
    called = edgeplan(
        "generate", "sparse_update", "--devices", "9", "--classes", "4", "--seed", "3", "-o", path
    )
    assert called.code == 0
    memories = {device.memory_bytes for device in load(path).instance.devices}
    assert (len(memories), min(memories), max(memories)) == (4, 50 * 1024, 140 * 1024)
    assert "51 layers, 203 options" in called.err
    again = edgeplan("generate", "sparse_update", "--devices", "9", "--classes", "4", "--seed", "3")
    assert json.loads(again.out) == json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("memory", ["140..50", "0..10", "much", "1e400"])
def test_a_range_of_memory_that_is_none_is_refused(edgeplan: CommandLine, memory: str) -> None:
    called = edgeplan("generate", "sparse_update", "--memory", memory)
    assert (called.code, called.out) == (2, "")
    assert "--memory" in called.err
    assert "50..140" in called.err


def test_measured_gains_are_read_from_a_file(edgeplan: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "gains.csv"
    path.write_text("index,accuracy_gain_points\n48,4.13\n40,-0.04\n", encoding="utf-8")
    document = json.loads(edgeplan("generate", "sparse_update", "--gains", path).out)
    brought = [layer["options"][-1]["contribution"] for layer in document["layers"]]
    assert [(k, gain) for k, gain in enumerate(brought) if gain] == [(48, 4.13)]
