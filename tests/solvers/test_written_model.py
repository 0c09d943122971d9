"""Written integer programmes: other readers and engines find the instance's optimum in them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from golden_instances import GOLDEN
from independent.evaluator import brute
from random_problems import DRAWS, near, problem_of
from small_instances import document, node, problem
from tier import cases

from edgeplan.errors import UsageError
from edgeplan.solvers.layer_assignment.milp import written_model
from edgeplan.solvers.layer_assignment.milp.written_model import write_model

READ_BY_HIGHS = """
import json, sys, highspy
for path in json.load(sys.stdin):
    highs = highspy.Highs()
    for option, value in (("output_flag", False), ("mip_rel_gap", 0.0), ("mip_abs_gap", 0.0)):
        highs.setOptionValue(option, value)
    read = highs.readModel(path) == highspy.HighsStatus.kOk
    highs.run()
    optimal = read and highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    print("answer", json.dumps(highs.getInfo().objective_function_value if optimal else None))
"""
READ_BY_PULP = """
import json, sys, pulp
for path in json.load(sys.stdin):
    _, problem = pulp.LpProblem.fromMPS(path)
    problem.solve(pulp.PULP_CBC_CMD(msg=False))
    optimal = problem.sol_status == pulp.LpSolutionOptimal
    print("answer", json.dumps(pulp.value(problem.objective) if optimal else None))
"""


def read(reader: str, paths: list[Path]) -> list[float | None]:
    """Optima of the files by a reader in a process of its own, None where there is none."""
    given = json.dumps([str(path) for path in paths])
    ended = subprocess.run(
        [sys.executable, "-c", reader], input=given, capture_output=True, text=True, check=True
    )
    answers = (line.partition(" ") for line in ended.stdout.splitlines())  # beside what the engine prints
    return [json.loads(value) for word, _, value in answers if word == "answer"]


def test_the_optimum_of_a_written_file_is_the_golden_one(tmp_path: Path) -> None:
    solvable = {name: golden for name, golden in GOLDEN.items() if golden.optimum is not None}
    for suffix, reader in ((".lp", READ_BY_HIGHS), (".mps", READ_BY_HIGHS), (".mps", READ_BY_PULP)):
        paths = [tmp_path / f"{number}{suffix}" for number in range(len(solvable))]
        for path, golden in zip(paths, solvable.values(), strict=True):
            write_model(problem_of(golden.document), path)
        assert read(reader, paths) == [near(golden.optimum, rel=1e-6) for golden in solvable.values()]


@pytest.mark.parametrize("schedule", DRAWS)
def test_the_optimum_of_a_random_written_file_is_that_of_brute_force(schedule: str, tmp_path: Path) -> None:
    paths, optima = [], []
    for seed in range(cases(commit=12, large=200)):
        drawn = DRAWS[schedule](seed)
        best = brute(drawn)
        if best is not None:
            paths.append(tmp_path / f"{seed}.{'lp' if seed % 2 else 'mps'}")
            optima.append(near(float(best.objective), rel=1e-6))
            write_model(problem_of(drawn), paths[-1])
    assert read(READ_BY_HIGHS, paths) == optima


def test_names_tell_what_they_stand_for(tmp_path: Path) -> None:
    nodes = [node("pi 4"), node("pi-4"), node("jetson", uplink_bit_per_s=5, flops_per_s=2)]
    written = _text(tmp_path, nodes=nodes, limits={"deadline_s": 600, "min_nodes": 2})
    for name in (
        "step_0_to_1_on_jetson_after_pi_4__0_and_alike",
        "step_0_to_0_on_pi_4__1_after_jetson",
        "balance_1_jetson:",
        "node_once_jetson:",
        "begin_once:",
        "min_nodes:",
        "deadline_s:",
    ):
        assert name in written


def test_nothing_is_pruned_and_coefficients_are_as_written(tmp_path: Path) -> None:
    written = _text(tmp_path, nodes=[node("p", flops_per_s=1e-4), node("q")])
    assert "60000 step_0_to_0_on_p" in written
    assert "8 step_0_to_2_on_q_after_none" in written


def _text(folder: Path, **members: Any) -> str:
    path = folder / "written.lp"
    write_model(problem(**members), path)
    return path.read_text(encoding="utf-8")


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"model\.txt: must end in \.lp or \.mps"):
        write_model(problem(), tmp_path / "model.txt")


def test_too_many_steps_are_refused_with_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written_model, "MAX_STEPS", 17)
    with pytest.raises(UsageError, match="18 steps are more than the 17 that a file may hold"):
        write_model(problem(), tmp_path / "model.lp")


def test_an_instance_without_any_step_is_refused(tmp_path: Path) -> None:
    nothing = problem_of(document(nodes=[node("p", memory_bytes=1)]))
    with pytest.raises(UsageError, match="no step can keep the constraint begin_once"):
        write_model(nothing, tmp_path / "model.lp")
