"""run: a schedule of federated averaging in place of a plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine, write

import edgeplan as ep
from edgeplan.models.federated import FederatedSchedule

pytest.importorskip("torch")
pytest.importorskip("sklearn")

INSTANCE = Path(__file__).parents[2] / "instances" / "layer_assignment" / "digits-6-nodes.json"


def schedule(*nodes: str, **members: Any) -> dict[str, Any]:
    clients = [{"node": node, "local_steps": 1, "batch_size": 8} for node in nodes]
    document = {"format": "edgeplan/1", "kind": "federated_schedule", "server": "edge-0"}
    return document | {"rounds": [{"clients": clients}]} | members


def test_a_schedule_runs_and_misses_what_no_run_can_meet(edgeplan: CommandLine, tmp_path: Path) -> None:
    path = write(tmp_path / "schedule.json", schedule("laptop-0") | {"x-note": "kept out"})
    arguments = ("run", INSTANCE, path, "--out", tmp_path / "run", "--emulation", "none")
    called = edgeplan(*arguments, "--json", "--assert", "bytes=0", "--assert", "memory=0")
    report = json.loads(called.out)
    assert called.code == 6
    assert [failure.split(":")[0] for failure in report["failures"]] == ["memory"]
    assert report["deviations"]["bytes"] == 0.0
    assert json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8")) == report


def test_a_schedule_runs_from_python(tmp_path: Path) -> None:
    given = FederatedSchedule.from_document(schedule("laptop-0"))
    report = ep.run(ep.load(INSTANCE), given, out=tmp_path, emulation="none")
    assert (report["passed"], [entry["round"] for entry in report["rounds"]]) == (True, [1])


def test_faults_of_a_schedule_come_with_their_places_and_nothing_is_left(
    edgeplan: CommandLine, tmp_path: Path
) -> None:
    path = write(tmp_path / "schedule.json", schedule("x", "edge-0", server="y"))
    called = edgeplan("run", INSTANCE, path, "--out", tmp_path / "run")
    assert called.code == 2
    assert [line.split(":")[0].removeprefix("error") for line in called.lines] == [
        "/rounds/0/clients/0/node",
        "/server",
    ]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "option", [("--rounds", "3"), ("--baseline", "fedavg"), ("--local-steps", "2"), ("--no-memory-limit",)]
)
def test_options_that_say_nothing_about_a_schedule_are_refused(
    edgeplan: CommandLine, tmp_path: Path, option: tuple[str, ...]
) -> None:
    path = write(tmp_path / "schedule.json", schedule("laptop-0"))
    called = edgeplan("run", INSTANCE, path, *option, "--out", tmp_path / "run")
    assert called.code == 2
    assert "leave it out" in called.err
    assert not (tmp_path / "run").exists()
