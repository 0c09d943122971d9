"""solve, check, schema and doctor: what they print, write and end with."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine, in_a_process, write
from small_instances import document, node, plan

from edgeplan import extras
from edgeplan.cli import files
from edgeplan.errors import BackendError, UsageError
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Result
from edgeplan.solvers.layer_assignment.circulation import cp_sat
from edgeplan.solvers.layer_assignment.infeasible import infeasibility
from edgeplan.solvers.registry import solvers_of

SOLVERS = solvers_of("layer_assignment")
TIGHT = document(nodes=[node(name, memory_bytes=240) for name in "pqr"])
BEST = plan("p:a", "q:b", "r:c")


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    return write(tmp_path / "instance.json", TIGHT)


def infeasible(tmp_path: Path) -> Path:
    return write(tmp_path / "infeasible.json", TIGHT | {"limits": {"max_nodes": 2}})


def test_solve_writes_the_result_to_standard_output_and_a_summary_beside_it(
    edgeplan: CommandLine, instance: Path
) -> None:
    called = edgeplan("solve", instance)
    result = Result.model_validate(json.loads(called.out))
    assert (called.code, result.status, result.objective) == (0, "optimal", 15)
    assert "optimal (proof)" in called.err
    assert "objective  15  (bound 15, gap " in called.err


def test_solve_writes_to_a_file_and_nothing_else(
    edgeplan: CommandLine, instance: Path, tmp_path: Path
) -> None:
    called = edgeplan("solve", instance, "-o", tmp_path / "result.json", "--solver", "heuristic")
    assert (called.code, called.out) == (0, "")
    assert json.loads((tmp_path / "result.json").read_text())["status"] == "feasible"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["instance.json", "result.json"]


def test_solve_of_an_infeasible_instance_ends_with_3_and_names_the_conflict(
    edgeplan: CommandLine, tmp_path: Path
) -> None:
    called = edgeplan("solve", infeasible(tmp_path))
    assert (called.code, json.loads(called.out)["status"]) == (3, "infeasible")
    assert "conflict /limits/max_nodes: at most 2 nodes; 3 would restore feasibility" in called.err


def test_solve_without_a_plan_at_the_limit_ends_with_5(edgeplan: CommandLine, tmp_path: Path) -> None:
    called = edgeplan("solve", infeasible(tmp_path), "--solver", "heuristic")
    assert (called.code, json.loads(called.out)["status"]) == (5, "no_plan")


def test_solve_with_a_broken_backend_and_no_plan_ends_with_7(
    edgeplan: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cp_sat, "BACKEND", "edgeplan.solvers.no_such_backend")
    called = edgeplan("solve", infeasible(tmp_path), "--solver", "cp-sat")
    result = json.loads(called.out)
    assert (called.code, result["status"], result["stop"]) == (7, "failed", "error")
    assert "No module named" in result["detail"]


def test_infeasible_is_said_though_the_search_for_the_conflict_breaks(
    edgeplan: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(infeasibility, "FIRST_BACKEND", "edgeplan.solvers.no_such_backend")
    called = edgeplan("solve", infeasible(tmp_path), "--solver", "dp")
    result = json.loads(called.out)
    assert (called.code, result["status"], result["conflicts"]) == (3, "infeasible", [])
    assert "no conflict was found" in result["detail"]


def test_a_wrong_claim_of_a_solver_ends_with_7_in_one_line(
    edgeplan: CommandLine, instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeplan.api.solve", _broken)
    called = edgeplan("solve", instance)
    assert (called.code, called.lines) == (7, ["the solver claims objective 1.0, the problem says 2.0"])


def _broken(*_: Any, **__: Any) -> Result:
    raise BackendError("the solver claims objective 1.0, the problem says 2.0")


def test_solve_starts_from_a_warm_start_and_says_so(
    edgeplan: CommandLine, instance: Path, tmp_path: Path
) -> None:
    warm = write(tmp_path / "warm.json", {"plan": BEST.to_document()})
    called = edgeplan("solve", instance, "--warm-start", warm, "--solver", "heuristic")
    assert json.loads(called.out)["solver"]["options"] == {"warm_start": "accepted"}
    assert "accepted" in called.err


@pytest.mark.parametrize("suffix", [".lp", ".mps"])
def test_solve_writes_the_model_and_solves_nothing(
    edgeplan: CommandLine, instance: Path, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"model{suffix}"
    called = edgeplan("solve", instance, "--write-model", path)
    assert (called.code, called.out) == (0, "")
    assert "steps to choose from; nothing was solved" in called.err
    assert "node_once_" in path.read_text(encoding="utf-8")
    assert [item.name for item in tmp_path.iterdir() if item.name.startswith(".")] == []


def test_a_model_of_another_suffix_is_refused_in_one_line(
    edgeplan: CommandLine, instance: Path, tmp_path: Path
) -> None:
    called = edgeplan("solve", instance, "--write-model", tmp_path / "model.json")
    assert (called.code, called.lines) == (
        2,
        [f"{tmp_path / 'model.json'}: must end in .lp or .mps; name such a file"],
    )


def test_an_engine_that_is_not_there_is_refused_in_one_line(edgeplan: CommandLine, instance: Path) -> None:
    called = edgeplan("solve", instance, "--solver", "milp:NONE")
    assert called.code == 2
    (line,) = called.lines
    assert line.startswith("--solver: 'milp:NONE': PuLP finds no such engine here; available: milp:")


def test_solve_says_which_solver_auto_took_and_why(edgeplan: CommandLine, instance: Path) -> None:
    called = edgeplan("solve", instance)
    assert json.loads(called.out)["solver"]["options"]["auto"] in called.err


def test_a_missing_folder_for_the_output_is_told_before_any_work(
    edgeplan: CommandLine, instance: Path, tmp_path: Path
) -> None:
    called = edgeplan("solve", instance, "-o", tmp_path / "absent" / "result.json")
    assert called.code == 2
    (line,) = called.lines
    assert "is no writable folder; make it first" in line


def test_a_folder_as_output_is_refused(edgeplan: CommandLine, instance: Path, tmp_path: Path) -> None:
    called = edgeplan("solve", instance, "-o", tmp_path)
    assert (called.code, called.lines) == (2, [f"{tmp_path}: is a folder; name a file"])


def test_a_write_that_fails_leaves_the_old_file_and_no_partial_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "result.json"
    path.write_text("old", encoding="utf-8")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UsageError, match="cannot be written: disk full"):
        files.write_json({"new": True}, path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("result.json", "old")]


def test_a_document_that_json_cannot_hold_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write_json({"objective": float("nan")}, tmp_path / "result.json")
    assert [*tmp_path.iterdir()] == []


def test_a_written_file_obeys_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write_json({}, tmp_path / "result.json")
    finally:
        os.umask(before)
    assert (tmp_path / "result.json").stat().st_mode & 0o777 == 0o640


def test_a_dash_is_standard_input_and_standard_output(tmp_path: Path) -> None:
    solved = in_a_process("solve", "-", "-o", "-", given=json.dumps(TIGHT).encode())
    assert solved.returncode == 0
    assert json.loads(solved.stdout)["objective"] == 15
    judged = in_a_process("check", write(tmp_path / "i.json", TIGHT), "-", "--json", given=solved.stdout)
    assert (judged.returncode, json.loads(judged.stdout)["feasible"]) == (0, True)


def test_faults_of_standard_input_are_said_to_be_there() -> None:
    ended = in_a_process("solve", "-", given=b"nope")
    assert (ended.returncode, ended.stderr.decode().strip()[-7:]) == (2, "[stdin]")


def test_check_of_a_good_plan_ends_with_0(edgeplan: CommandLine, instance: Path, tmp_path: Path) -> None:
    made = write(tmp_path / "result.json", {"plan": BEST.to_document()})
    called = edgeplan("check", instance, made)
    assert (called.code, called.out) == (0, "feasible, objective 15.0\n")


def test_check_of_a_bad_plan_ends_with_6_and_a_line_for_each_violation(
    edgeplan: CommandLine, instance: Path, tmp_path: Path
) -> None:
    made = write(tmp_path / "result.json", {"plan": plan("p:ab", "p:c").to_document()})
    called = edgeplan("check", instance, made)
    count, *lines = called.out.splitlines()
    assert (called.code, count) == (6, "2 violations")
    assert lines[0] == "/plan/stages/1/node: node_once: node p serves more than one stage"
    assert lines[1].startswith("/network/nodes/0/memory_bytes: memory: node p needs 360 bytes")


def test_check_as_json_is_the_verdict_of_the_problem(
    edgeplan: CommandLine, instance: Path, tmp_path: Path
) -> None:
    bad = plan("p:ab", "q:c")
    made = write(tmp_path / "result.json", {"plan": bad.to_document()})
    called = edgeplan("check", instance, made, "--json")
    verdict = LayerAssignment.from_document(TIGHT).check(bad)
    assert (called.code, json.loads(called.out)) == (6, verdict.to_document())


def test_a_result_of_another_instance_is_warned_of(
    edgeplan: CommandLine, instance: Path, tmp_path: Path
) -> None:
    made = write(tmp_path / "r.json", {"plan": BEST.to_document(), "instance_sha256": "0" * 64})
    called = edgeplan("check", instance, made)
    assert called.code == 0
    assert "warning:" in called.err
    assert "was made for another instance" in called.err


def test_schema_is_that_of_every_document_of_a_problem(edgeplan: CommandLine) -> None:
    called = edgeplan("schema", "layer_assignment")
    schemas = json.loads(called.out)
    assert called.code == 0
    assert sorted(schemas) == ["explanation", "instance", "plan", "result", "simulation"]
    assert {"format", "problem", "model", "network", "training", "schedule"} == {
        *schemas["instance"]["required"]
    }
    assert TIGHT.keys() <= schemas["instance"]["properties"].keys()
    assert schemas["instance"]["additionalProperties"] is False
    assert schemas["instance"]["patternProperties"] == {"^x-": {}}
    assert schemas["instance"]["$defs"]["Training"]["properties"]["pass"]["enum"] == ["training", "inference"]


def test_schema_of_an_unknown_problem_is_refused(edgeplan: CommandLine) -> None:
    called = edgeplan("schema", "sorting")
    assert (called.code, called.lines) == (
        2,
        ["'sorting': must be one of layer_assignment, segment_scheduling, sparse_update"],
    )


def test_doctor_solves_in_every_solver(edgeplan: CommandLine) -> None:
    called = edgeplan("doctor")
    assert called.code == 0
    for name in (*SOLVERS, "milp:HiGHS", "milp:PULP_CBC_CMD"):
        assert any(name in line and "objective 4.0" in line for line in called.out.splitlines())


def test_doctor_prints_json_where_asked(edgeplan: CommandLine) -> None:
    rows = json.loads(edgeplan("doctor", "--json").out)
    assert {"part": "python", "version": platform.python_version(), "state": "ok"} in rows
    assert {*SOLVERS} - {"milp"} <= {row["part"].removeprefix("solver ") for row in rows}


def test_doctor_ends_with_7_where_the_exact_back_end_is_broken(
    edgeplan: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cp_sat, "BACKEND", "edgeplan.solvers.no_such_backend")
    assert edgeplan("doctor").code == 7


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["run", "instance.json", "result.json"], "runtime"),
        (["profile", "vgg11"], "runtime"),
        (["report", "instance.json", "result.json"], "report"),
        (["solve", "instance.json", "--solver", "milp"], "milp"),
        (["solve", "instance.json", "--write-model", "model.lp"], "milp"),
    ],
)
def test_a_missing_extra_is_named_in_one_line(
    edgeplan: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], extra: str
) -> None:
    write(tmp_path / "instance.json", TIGHT)
    edgeplan("solve", tmp_path / "instance.json", "-o", tmp_path / "result.json", "--solver", "heuristic")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(extras, "is_installed", lambda module: module not in extras.EXTRA_OF_MODULE)
    called = edgeplan(*arguments)
    assert called.code == 7
    (line,) = called.lines
    assert line.endswith(f"which is not installed: pip install 'edgeplan[{extra}]'")


@pytest.mark.parametrize(
    "verb",
    ["solve", "check", "explain", "replan", "run", "profile", "report", "schema", "doctor", "generate"],
)
def test_every_verb_explains_itself(edgeplan: CommandLine, verb: str) -> None:
    called = edgeplan(verb, "--help")
    assert called.code == 0
    assert f"edgeplan {verb}" in called.out
