"""What left the devices: a byte that is neither update nor header fails the run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sparse_runs import PLAIN, FinishedRun, canonical_plan, finished, problem
from tiny_workloads import tiny_workload

pytest.importorskip("torch")

from edgeplan.runtime.processes.records import events_path, read_json
from edgeplan.runtime.sparse.execution.course import BEGINNING, Leg, LostDevice, Position
from edgeplan.runtime.sparse.execution.exchange.ways import GLOO
from edgeplan.runtime.sparse.execution.report.comparison import run_report
from edgeplan.runtime.sparse.execution.wire import is_counted

LOST = Leg(Position(1, 1), (LostDevice("device-1", "was killed by signal 9", "compute, round 1"),))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    settings = replace(PLAIN, rounds=2, local_steps=1, baseline="none")
    return finished(tmp_path_factory.mktemp("plain"), problem(), canonical_plan(), settings)


def told(run: FinishedRun, sent_bytes: list[int]) -> dict[str, Any]:
    """The report, had the switch counted this."""
    ranks = range(len(run.job.names))
    events = [event for rank in ranks for event in read_json(events_path(run.job.folder, rank))]
    events.append({"event": "wired", "rank": 0, "leg": 0, "sent_bytes": sent_bytes})
    return run_report(run.job, tiny_workload().layers(4), events, torch_version="0")


def explained(run: FinishedRun) -> list[int]:
    """The updates and headers of every device."""
    entries = told(run, [0, 0, 0])["wire"]
    return [entry["parameter_bytes"] + entry["header_bytes"] for entry in entries]


def test_where_no_kernel_makes_the_devices_nothing_is_counted(plain: FinishedRun) -> None:
    assert plain.report["wire"] == []


def test_updates_are_those_of_the_rounds_and_the_data_those_of_the_device(plain: FinishedRun) -> None:
    entries = told(plain, explained(plain))["wire"]
    for entry, device in zip(entries, plain.report["devices"], strict=True):
        assert entry["node"] == device["id"]
        assert entry["parameter_bytes"] == 2 * device["measured"]["sent_bytes_per_round"]
    per_image = 8 * 8 + 1
    assert sum(entry["data_bytes"] for entry in entries) == per_image * (1797 - 359 - 719)


def test_updates_and_headers_are_no_leak_and_one_byte_more_is(plain: FinishedRun) -> None:
    sent = explained(plain)
    assert told(plain, sent)["passed"]
    report = told(plain, [sent[0], sent[1] + 1, sent[2]])
    headers = report["wire"][1]["header_bytes"]
    what = f"{headers + 1} bytes left it that are no parameters, {headers} at most are headers"
    assert (report["passed"], report["failures"]) == (False, [f"device-1: {what}"])


def test_only_all_rounds_of_all_devices_with_counted_updates_are_counted(plain: FinishedRun) -> None:
    assert is_counted(plain.job, BEGINNING)
    assert not is_counted(plain.job, Position(0, 1))
    assert not is_counted(plain.job, Position(1, 0))
    assert not is_counted(replace(plain.job, legs=(Leg(), LOST)), BEGINNING)
    uncounted = replace(plain.job.settings, collectives=GLOO)
    assert not is_counted(replace(plain.job, settings=uncounted), BEGINNING)
