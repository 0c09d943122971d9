"""Faulty input: exit code 2, a pointer, one clear line a fault, and never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine, in_a_process
from small_instances import changed, document

GOOD = document()
TEXT = json.dumps(GOOD)
LINK = changed(GOOD, "/network/links", [{"source": "p", "target": "ghost"}])

# content of the file (None is a directory), what its one line begins with, a word of the rule
FAULTY: dict[str, tuple[str | None, str, str]] = {
    "not JSON": ("edgeplan/1\nproblem: layers", "(document): not JSON at line 1 column 1", "mend the text"),
    "an empty file": ("", "(document): empty", "must be a JSON object"),
    "a directory": (None, "", "cannot be read: Is a directory"),
    "an unknown problem": (TEXT.replace("layer_assignment", "sorting"), '/problem: "sorting"', "must be"),
    "NaN": (
        TEXT.replace('"flops_per_s": 1', '"flops_per_s": NaN', 1),
        "/network/nodes/0/flops_per_s: NaN",
        "finite",
    ),
    "a duplicate key": (TEXT.replace("{", '{"name": "a", "name": "b", ', 1), '/name: "b"', "more than once"),
    "a negative memory": (
        json.dumps(changed(GOOD, "/network/nodes/1/memory_bytes", -4)),
        "/network/nodes/1/memory_bytes: -4",
        "must be at least 1",
    ),
    "a dangling link": (json.dumps(LINK), '/network/links/0/target: "ghost"', "must be a node's id"),
    "an empty layer list": (
        json.dumps(changed(GOOD, "/model/layers", [])),
        "/model/layers: []",
        "must have at least 1 item",
    ),
    "two nodes with one id": (
        json.dumps(changed(GOOD, "/network/nodes/2/id", "p")),
        '/network/nodes/2/id: "p"',
        "ids must be unique",
    ),
}

every_fault = pytest.mark.parametrize("fault", FAULTY)


def faulty_file(tmp_path: Path, fault: str) -> Path:
    path, text = tmp_path / "instance.json", FAULTY[fault][0]
    if text is None:
        path.mkdir()
    else:
        path.write_text(text, encoding="utf-8")
    return path


def assert_told(lines: list[str], fault: str, path: Path) -> None:
    _, start, rule = FAULTY[fault]
    (line,) = lines
    assert line.startswith(start)
    assert rule in line
    assert str(path) in line


@every_fault
def test_a_faulty_instance_is_told_in_one_line_and_solved_by_no_one(
    edgeplan: CommandLine, tmp_path: Path, fault: str
) -> None:
    path = faulty_file(tmp_path, fault)
    called = edgeplan("solve", path, "-o", tmp_path / "result.json")
    assert (called.code, called.out) == (2, "")
    assert_told(called.lines, fault, path)
    assert not (tmp_path / "result.json").exists()


@every_fault
def test_a_faulty_instance_is_told_in_one_line_and_judges_no_plan(
    edgeplan: CommandLine, tmp_path: Path, fault: str
) -> None:
    path = faulty_file(tmp_path, fault)
    called = edgeplan("check", path, path)
    assert (called.code, called.out) == (2, "")
    assert_told(called.lines, fault, path)


def test_the_empty_object_gets_a_line_for_each_missing_member_of_the_header(
    edgeplan: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "instance.json"
    path.write_text("{}", encoding="utf-8")
    called = edgeplan("solve", path)
    assert called.code == 2
    required = ["/format", "/problem"]
    assert [line.split(":")[0] for line in called.lines] == required


@pytest.mark.parametrize("fault", ["not JSON", "a directory", "NaN", "two nodes with one id"])
def test_a_process_of_its_own_ends_without_a_traceback(tmp_path: Path, fault: str) -> None:
    path = faulty_file(tmp_path, fault)
    ended = in_a_process("solve", path)
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert_told(ended.stderr.decode().splitlines(), fault, path)


def test_several_faults_get_a_line_each(edgeplan: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "instance.json"
    faulty = changed(changed(GOOD, "/network/nodes/1/memory_bytes", -4), "/model/layers/0/name", "")
    path.write_text(json.dumps(faulty), encoding="utf-8")
    called = edgeplan("solve", path)
    pointers = [line.split(":")[0] for line in called.lines]
    assert (called.code, pointers) == (2, ["/model/layers/0/name", "/network/nodes/1/memory_bytes"])


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--time-limit", "0"], "time_limit_s: 0.0: must be above 0 and finite"),
        (["--time-limit", "nan"], "time_limit_s: nan: must be above 0 and finite"),
        (["--gap", "-1"], "gap: -1.0: must be at least 0 and finite"),
        (["--seed", "-1"], "seed: -1: must be from 0 to 2147483647"),
        (["--workers", "0"], "workers: 0: must be at least 1"),
        (
            ["--solver", "magic"],
            "--solver: 'magic': must be one of auto, cp-sat, milp, dp, at-size, heuristic, brute-force",
        ),
    ],
)
def test_an_option_out_of_range_is_told_in_one_line(
    edgeplan: CommandLine, tmp_path: Path, options: list[str], line: str
) -> None:
    path = tmp_path / "instance.json"
    path.write_text(TEXT, encoding="utf-8")
    called = edgeplan("solve", path, *options)
    assert (called.code, called.lines) == (2, [line])


@pytest.mark.parametrize("arguments", [["solve"], ["solve", "a", "--nonsense"], ["sing"], ["check", "a"]])
def test_wrong_usage_has_exit_code_2(edgeplan: CommandLine, arguments: list[str]) -> None:
    called = edgeplan(*arguments)
    assert called.code == 2
    assert "Usage" in called.err


@pytest.mark.parametrize(
    ("result", "pointer"),
    [
        ({}, "/plan"),
        ({"plan": None}, "/plan"),
        ({"plan": {}}, "/plan/stages"),
        ({"plan": {"stages": [{"node": 3, "layers": []}]}}, "/plan/stages/0/node"),
        ({"plan": {"stages": [], "more": 1}}, "/plan/more"),
        ([], "(document)"),
    ],
)
def test_a_malformed_plan_is_told_with_its_pointer(
    edgeplan: CommandLine, tmp_path: Path, result: Any, pointer: str
) -> None:
    instance, made = tmp_path / "instance.json", tmp_path / "result.json"
    instance.write_text(TEXT, encoding="utf-8")
    made.write_text(json.dumps(result), encoding="utf-8")
    called = edgeplan("check", instance, made)
    assert called.code == 2
    (line,) = called.lines
    assert line.startswith(f"{pointer}: ")
    assert str(made) in line
