"""``edgeplan sweep``: a row a trade-off, and the document that report draws."""

from __future__ import annotations

import contextlib
import io
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine, write
from rich.console import Console
from small_segments import problem

from edgeplan.cli import swept
from edgeplan.errors import BackendError, UsageError
from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
from edgeplan.models.result import SolverInfo
from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.models.segment_scheduling.shortened import first_slots
from edgeplan.models.segment_scheduling.sweep import Sweep, SweepPoint

PROBLEM = problem(slots=6)
RUN = "edgeplan.solvers.segment_scheduling.sweep.sweep"


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    return write(tmp_path / "instance.json", PROBLEM.document)


class Runs:
    """Stands in for the solver's sweep: a made-up point, or what it is told to raise."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, int, float]] = []
        self.raises: dict[float, BackendError] = {}
        self.interrupted_at = 0.0
        self.keeps_a_plan = False

    def __call__(self, given: SegmentScheduling, values: list[float], **settings: Any) -> Sweep:
        (value,) = values
        self.asked.append((value, given.instance.control.slots, settings["gap"]))
        if value in self.raises:
            raise self.raises[value]
        if value == self.interrupted_at:
            with contextlib.suppress(*[KeyboardInterrupt] * self.keeps_a_plan):
                signal.raise_signal(signal.SIGINT)
        figures = dict.fromkeys(SweepPoint.model_fields, 1.0) | {"tradeoff": value, "open_slots": 0}
        return Sweep(
            problem=given.name,
            instance_sha256=given.instance_sha256,
            name=given.instance.name,
            slots=given.instance.control.slots,
            points=(SweepPoint.model_validate(figures),),
            solver=SolverInfo(name="made up", version="1"),
            runtime_s=0.1,
        )


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    made_up = Runs()
    monkeypatch.setattr(RUN, made_up)
    return made_up


def test_a_real_sweep_is_written_and_its_report_drawn(
    edgeplan: CommandLine, instance: Path, tmp_path: Path
) -> None:
    output = tmp_path / "sweep.json"
    called = edgeplan("sweep", instance, "--tradeoff", "10", "--tradeoff", "0.1", "-o", output)
    assert (called.code, called.out) == (0, "")
    read = Sweep.model_validate_json(output.read_text())
    assert [point.tradeoff for point in read.points] == [0.1, 10.0]
    assert (read.slots, read.instance_sha256) == (6, PROBLEM.instance_sha256)
    for point in read.points:
        assert point.run_bound_s <= point.mean_latency_s * (1 + 1e-9)
    page = tmp_path / "report.html"
    assert edgeplan("report", instance, output, "-o", page).code == 0
    assert "Latency and queues over the price of time" in page.read_text()


def test_the_table_is_told_on_standard_error(edgeplan: CommandLine, instance: Path, runs: Runs) -> None:
    called = edgeplan("sweep", instance, "--tradeoff", "2", "--gap", "0.01")
    assert (called.code, called.out, runs.asked) == (0, "", [(2.0, 6, 0.01)])
    assert called.lines[0] == f"{PROBLEM.instance.name}: 6 slots each"
    assert any(line.split()[:3] == ["2", "1", "s"] for line in called.lines)


@pytest.mark.parametrize("options", [["--json"], ["-o", "-"], ["-o", "-", "--json"]])
def test_json_goes_to_standard_output_once(
    edgeplan: CommandLine, instance: Path, runs: Runs, options: list[str]
) -> None:
    document = json.loads(edgeplan("sweep", instance, "--tradeoff", "2", *options).out)
    assert (document["kind"], [point["tradeoff"] for point in document["points"]]) == ("sweep", [2.0])


def test_without_trade_offs_four_decades_are_swept(edgeplan: CommandLine, instance: Path, runs: Runs) -> None:
    edgeplan("sweep", instance)
    assert [value for value, _, _ in runs.asked] == [0.1, 1.0, 10.0, 100.0]


def test_the_horizon_can_be_shortened_and_still_belongs_to_the_instance(
    edgeplan: CommandLine, instance: Path, runs: Runs
) -> None:
    document = json.loads(edgeplan("sweep", instance, "--tradeoff", "2", "--slots", "3", "--json").out)
    assert runs.asked == [(2.0, 3, 1e-3)]
    assert (document["slots"], document["instance_sha256"]) == (3, PROBLEM.instance_sha256)


def test_first_slots_have_the_gains_that_they_had() -> None:
    for given in (PROBLEM, traced()):
        assert list(first_slots(given, 4).gains()) == list(given.gains())[:4]


def traced() -> SegmentScheduling:
    gains = [1e-9 * (1 + k) for k in range(6)]
    channels = {"kind": "trace", "d2d": {"fast": gains, "slow": gains}, "uplink": {"home": gains}}
    return PROBLEM.replace(channels=channels)


def test_a_trade_off_without_a_plan_leaves_the_others_standing(
    edgeplan: CommandLine, instance: Path, runs: Runs, tmp_path: Path
) -> None:
    runs.raises[2.0] = BackendError("tradeoff 2: no_plan: time was up")
    output = tmp_path / "sweep.json"
    options = ["--tradeoff", "1", "--tradeoff", "2", "--tradeoff", "3"]
    called = edgeplan("sweep", instance, *options, "-o", output)
    document = json.loads(output.read_text())
    assert called.code == 5
    assert called.lines[-1] == "V = 2: tradeoff 2: no_plan: time was up"
    assert [point["tradeoff"] for point in document["points"]] == [1.0, 3.0]
    assert document["failed"] == [{"tradeoff": 2.0, "reason": "tradeoff 2: no_plan: time was up"}]


@pytest.mark.parametrize("keeps_a_plan", [False, True])
def test_ctrl_c_keeps_what_is_done_and_ends_with_130(
    edgeplan: CommandLine, instance: Path, runs: Runs, tmp_path: Path, keeps_a_plan: bool
) -> None:
    before = signal.getsignal(signal.SIGINT)
    runs.interrupted_at, runs.keeps_a_plan = 2.0, keeps_a_plan
    output = tmp_path / "sweep.json"
    options = ["--tradeoff", "1", "--tradeoff", "2", "--tradeoff", "3"]
    called = edgeplan("sweep", instance, *options, "-o", output)
    document = json.loads(output.read_text())
    assert called.code == 130
    assert [point["tradeoff"] for point in document["points"]] == [1.0]
    assert [(entry["tradeoff"], entry["reason"]) for entry in document["failed"]] == [
        (2.0, "interrupted"),
        (3.0, "interrupted"),
    ]
    assert [value for value, _, _ in runs.asked] == [1.0, 2.0]
    assert signal.getsignal(signal.SIGINT) is before


def test_an_infeasible_instance_gets_its_conflict_and_3(
    edgeplan: CommandLine, tmp_path: Path, runs: Runs
) -> None:
    home = PROBLEM.document["clusters"][0]
    devices = [device | {"memory_bytes": 1_000} for device in home["devices"]]
    small = PROBLEM.replace(clusters=[home | {"devices": devices}])
    called = edgeplan("sweep", write(tmp_path / "small.json", small.document), "-o", tmp_path / "sweep.json")
    assert (called.code, called.lines[0]) == (3, "infeasible: no trade-off has a plan")
    assert "conflict /clusters/0/" in called.err
    assert runs.asked == []
    assert not (tmp_path / "sweep.json").exists()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--tradeoff", "0"], "--tradeoff: 0: must be above 0 and finite"),
        (["--tradeoff", "inf"], "--tradeoff: inf: must be above 0 and finite"),
        (["--tradeoff", "nan"], "--tradeoff: nan: must be above 0 and finite"),
        (["--time-limit", "0"], "--time-limit: 0: must be above 0 and finite"),
        (["--gap", "-1"], "--gap: -1: must be at least 0 and finite"),
        (["--slots", "7"], "slots: 7: must be from 1 to the 6 of the instance"),
    ],
)
def test_an_option_out_of_range_is_one_line(
    edgeplan: CommandLine, instance: Path, runs: Runs, options: list[str], line: str
) -> None:
    called = edgeplan("sweep", instance, *options)
    assert (called.code, called.lines, runs.asked) == (2, [line], [])


def test_another_problem_is_refused_in_one_line(edgeplan: CommandLine, tmp_path: Path) -> None:
    other = write(tmp_path / "other.json", two_layers_two_nodes().to_document())
    called = edgeplan("sweep", other)
    (line,) = called.lines
    assert called.code == 2
    assert line.startswith('/problem: "layer_assignment": sweep knows segment_scheduling only; ')


def test_an_output_that_cannot_be_written_is_refused_before_any_work(
    edgeplan: CommandLine, instance: Path, runs: Runs, tmp_path: Path
) -> None:
    called = edgeplan("sweep", instance, "-o", tmp_path / "no" / "sweep.json")
    assert (called.code, runs.asked) == (2, [])
    assert "is no writable folder" in called.err


def test_points_are_shown_live_on_a_terminal(
    edgeplan: CommandLine, instance: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(swept, "stderr", Console(file=terminal, force_terminal=True, width=120))
    edgeplan("sweep", instance, "--tradeoff", "1", "--tradeoff", "2")
    shown = terminal.getvalue()
    assert "V = 1, 1 of 2" in shown
    assert "V = 2, 2 of 2" in shown
    assert "Ctrl-C keeps what is done" in shown


def test_slots_below_one_are_refused_from_python() -> None:
    with pytest.raises(UsageError, match="slots: 0: must be from 1 to the 6"):
        first_slots(PROBLEM, 0)
