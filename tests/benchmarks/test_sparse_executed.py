"""Rivals of sparse_update, executed: data parallelism does what the runtime's dense phase does, and the table
has everybody.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from sparse_runs import document as tiny_document
from sparse_runs import finished, problem, tiny_starts
from torch.testing import assert_close

from benchmarks.rivals.sparse_update import RULES, data_parallel
from benchmarks.sparse_contenders import Contender, contenders
from benchmarks.sparse_executed import Executor, rows
from benchmarks.sparse_executed_figure import draw
from benchmarks.sparse_executed_table import document
from edgeplan.models.sparse_update import SparsePlan
from edgeplan.runtime.processes.records import events_path, read_json
from edgeplan.runtime.sparse.execution import RunSettings
from edgeplan.runtime.sparse.execution.phases import dense_cost, largest_update

SETTINGS = RunSettings(rounds=2, emulation="none")
Report = dict[str, Any]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything trained everywhere, by the runtime."""
    folder = tmp_path_factory.mktemp("own")
    given = problem()
    finished(folder, given, SparsePlan(devices=largest_update(given.instance)), SETTINGS)
    return folder


@pytest.fixture(scope="module", params=[None, data_parallel.PER_TENSOR_MB], ids=["fused", "per tensor"])
def parallel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything trained everywhere, by DDP."""
    folder = tmp_path_factory.mktemp("parallel")
    with tiny_starts():
        data_parallel.run(problem(), tiny_document(), SETTINGS, bucket_cap_mb=request.param, out=folder)
    return folder


def test_replicas_under_ddp_are_identical_after_every_round_and_change(parallel: Path) -> None:
    events = [event for rank in range(3) for event in read_json(events_path(parallel, rank))]
    trained = [event for event in events if event["event"] == "trained"]
    found = {number: {e["fingerprint"] for e in trained if e["round"] == number} for number in (1, 2)}
    assert [len(fingerprints) for fingerprints in found.values()] == [1, 1]
    assert found[1] != found[2]


def test_ddp_moves_the_bytes_of_the_dense_plan(parallel: Path) -> None:
    report = read_json(parallel / "run.json")
    cost = dense_cost(problem().instance)
    assert cost is not None
    assert [entry["bytes_moved"] for entry in report["rounds"]] == 2 * [cost.aggregation.bytes_moved]
    assert report["totals"]["bytes_equal"]
    assert report["totals"]["predicted_num_collectives"] in (None, len(report["buckets"]))


def test_ddp_trains_what_the_runtime_trains_but_for_rounding(parallel: Path, own: Path) -> None:
    ours, theirs = (torch.load(folder / "parameters.pt", weights_only=True) for folder in (own, parallel))
    assert_close(theirs, ours, rtol=1e-4, atol=1e-5)


def test_the_table_has_a_row_for_everybody(own: Path, parallel: Path, tmp_path: Path) -> None:
    """Every run is replaced by one of the two that there are."""
    planned, dense = (read_json(folder / "run.json") for folder in (own, parallel))

    def execute(contender: Contender, _settings: RunSettings, _name: str) -> Report:
        return dense if contender.plan is None else planned

    taking_part = contenders(problem(), 1.0, tmp_path)
    found = list(rows(taking_part, execute, rounds=2, paced_rounds=2, seeds=[0, 1]))
    lines = list(document(found))
    told = [line.split(" | ")[0].removeprefix("| ") for line in lines[2 : 2 + len(found)]]
    assert set(told) >= {rule.name for rule in RULES}
    assert len(told) == 2 + len(RULES) + 1 + 3 + 1
    assert any("28.98 : 7.14 : 5.60" in line for line in lines)
    draw(found, tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").is_file()


def test_a_run_that_is_kept_is_not_run_again(tmp_path: Path) -> None:
    (tmp_path / "dense" / "paced").mkdir(parents=True)
    (tmp_path / "dense" / "paced" / "run.json").write_text('{"kept": true}')
    assert Executor({}, tmp_path)(Contender("dense", problem()), SETTINGS, "paced") == {"kept": True}
