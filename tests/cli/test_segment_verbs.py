"""The verbs on an instance of segment_scheduling."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from command_line import CommandLine, write
from small_segments import plan, problem
from small_segments import result as result_of

import edgeplan as ep
from edgeplan.cli.outcome import summarise
from edgeplan.errors import UsageError
from edgeplan.models.explanation import Explanation
from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
from edgeplan.models.result import Result, SolverInfo, Status
from edgeplan.models.segment_scheduling import SegmentScheduling


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    return write(tmp_path / "instance.json", problem().to_document())


@pytest.fixture
def result(tmp_path: Path) -> Path:
    return write(tmp_path / "result.json", result_of(problem(), plan()))


def test_check_of_a_good_plan_ends_with_0(edgeplan: CommandLine, instance: Path, result: Path) -> None:
    called = edgeplan("check", instance, result)
    assert (called.code, called.err) == (0, "")
    assert called.out.startswith("feasible, objective ")


def test_check_of_a_bad_plan_ends_with_6_and_a_line_for_each_violation(
    edgeplan: CommandLine, instance: Path, tmp_path: Path
) -> None:
    bad = plan(micro_batches=5, uplink={"bandwidth_hz": 2e6, "power_w": 0.2})
    called = edgeplan("check", instance, write(tmp_path / "bad.json", {"plan": bad.to_document()}))
    count, *lines = called.out.splitlines()
    assert (called.code, count) == (6, "2 violations")
    assert lines[0].startswith("/uplink_bandwidth_hz: uplink_band: the uplinks take ")
    assert lines[1].startswith("/training/max_micro_batches: micro_batches: cluster home has 5")


def test_check_as_json_is_the_verdict_of_the_problem(
    edgeplan: CommandLine, instance: Path, result: Path
) -> None:
    called = edgeplan("check", instance, result, "--json")
    assert json.loads(called.out) == problem().check(plan()).to_document()


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"stages": []}, "/plan/slots"),
        ({"slots": [{"clusters": [{"id": 3}]}]}, "/plan/slots/0/clusters/0/id"),
        ({"slots": [{"clusters": [{"id": "home", "micro_batches": 0}]}]}, "/plan/slots/0/clusters/0/micro_b"),
    ],
)
def test_a_malformed_plan_is_told_with_its_pointer(
    edgeplan: CommandLine, instance: Path, tmp_path: Path, given: Any, pointer: str
) -> None:
    called = edgeplan("check", instance, write(tmp_path / "plan.json", {"plan": given}))
    assert (called.code, called.out) == (2, "")
    assert called.lines[0].startswith(pointer)


def test_schema_is_that_of_the_problem(edgeplan: CommandLine) -> None:
    called = edgeplan("schema", "segment_scheduling")
    schemas = json.loads(called.out)
    assert (called.code, sorted(schemas)) == (0, ["explanation", "instance", "plan", "result", "simulation"])
    assert problem().document.keys() <= schemas["instance"]["properties"].keys()
    assert schemas["plan"]["required"] == ["slots"]


def test_a_verb_that_knows_another_problem_only_says_so_in_one_line(
    edgeplan: CommandLine, instance: Path, result: Path
) -> None:
    called = edgeplan("replan", instance, result)
    assert (called.code, called.out) == (2, "")
    (line,) = called.lines
    assert line.startswith('/problem: "segment_scheduling": replan knows layer_assignment only; ')


def test_no_integer_programme_is_written(edgeplan: CommandLine, instance: Path, tmp_path: Path) -> None:
    called = edgeplan("solve", instance, "--write-model", tmp_path / "model.lp")
    (line,) = called.lines
    assert (called.code, (tmp_path / "model.lp").exists()) == (2, False)
    assert line.startswith('/problem: "segment_scheduling": --write-model knows layer_assignment only; ')


def test_the_functions_refuse_what_is_for_layer_assignment_alone(tmp_path: Path) -> None:
    other: Any = plan()
    with pytest.raises(UsageError, match="replan knows layer_assignment only"):
        ep.replan(problem(), other)


def test_a_plan_of_another_problem_is_refused() -> None:
    of_segments: Any = plan()
    refused = "plan: SegmentPlan: must be a plan of layer_assignment"
    for call in (
        lambda: ep.check(two_layers_two_nodes(), of_segments),
        lambda: ep.solve(two_layers_two_nodes(), warm_start=of_segments),
        lambda: ep.replan(two_layers_two_nodes(), of_segments),
        lambda: ep.explain(two_layers_two_nodes(), of_segments),
    ):
        with pytest.raises(UsageError, match=refused):
            call()


def test_the_summary_says_latency_and_the_worst_budget(capsys: pytest.CaptureFixture[str]) -> None:
    given = problem()
    summarise(given, Result.model_validate(result_of(given, plan())))
    told = " ".join(capsys.readouterr().err.split())
    metrics = given.metrics(plan())
    assert "slots 1 mean latency" in told
    assert f"{metrics['mean_latency_s']:.3g} s" in told
    worst = max(metrics["budget_violation"], key=metrics["budget_violation"].__getitem__)
    assert f"2 of 4 budgets exceeded, {worst} most, by " in told


def test_the_summary_says_that_all_budgets_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    poor = problem()
    home = poor.document["clusters"][0]
    devices = [device | {"energy_budget_j": 1e3} for device in home["devices"]]
    rich = poor.replace(clusters=[home | {"devices": devices, "uplink_energy_budget_j": 1e3}])
    summarise(rich, Result.model_validate(result_of(rich, plan())))
    assert "all kept" in capsys.readouterr().err


@pytest.fixture
def explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a made-up explanation in the place of that of the problem."""

    def explain(problem: SegmentScheduling, plan: Any, limits: Any, on_step: Any) -> Explanation:
        return Explanation(
            problem=problem.name,
            instance_sha256=problem.instance_sha256,
            status=Status.FEASIBLE,
            headline="no policy keeps the budget of slow",
            limits=(
                {  # type: ignore[arg-type]
                    "pointer": "/clusters/0/devices/1/energy_budget_j",
                    "have": 1.0,
                    "used": 1.0,
                    "slack": 0.0,
                    "binds": True,
                    "message": "energy of slow: no slack",
                },
            ),
            solver=SolverInfo(name="made up", version="1"),
            runtime_s=0.1,
        )

    module: Any = ModuleType("explanation")
    module.explain = explain
    monkeypatch.setitem(sys.modules, "edgeplan.solvers.segment_scheduling.explanation", module)
    monkeypatch.setattr("edgeplan.api.solver_named", lambda name, problem: None)


@pytest.mark.usefixtures("explained")
def test_explain_asks_the_problem_s_own_explanation(
    edgeplan: CommandLine, instance: Path, result: Path
) -> None:
    called = edgeplan("explain", instance, result)
    lines = called.out.splitlines()
    assert (called.code, lines[1]) == (0, "no policy keeps the budget of slow")
    assert lines[3:] == ["What binds", "  energy of slow: no slack"]


def test_report_shows_latency_budgets_and_clusters(
    edgeplan: CommandLine, instance: Path, result: Path, tmp_path: Path
) -> None:
    called = edgeplan("report", instance, result, "-o", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert called.code == 0
    for text in ("Mean latency", "Budgets, the most exceeded first", "<h2>Clusters</h2>", "<h2>Model</h2>"):
        assert text in page
    assert "Checked against the instance: every rule and limit holds." in page
