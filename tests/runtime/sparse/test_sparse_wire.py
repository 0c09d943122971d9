"""What left the devices: a byte that is neither update nor header fails the run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sparse_runs import FinishedRun
from tiny_workloads import tiny_workload

pytest.importorskip("torch")

from edgeplan.runtime.processes.records import events_path, read_json
from edgeplan.runtime.processes.supervision import LostNode
from edgeplan.runtime.sparse.execution.course import BEGINNING, Leg, Position
from edgeplan.runtime.sparse.execution.exchange.ways import GLOO
from edgeplan.runtime.sparse.execution.report.comparison import run_report
from edgeplan.runtime.sparse.execution.wire import is_counted

LOST = Leg(Position(1, 1), (LostNode("device-1", "was killed by signal 9", "compute, round 1"),))


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


def test_where_no_kernel_makes_the_devices_nothing_is_counted(canonical: FinishedRun) -> None:
    assert canonical.report["wire"] == []


def test_updates_are_those_of_the_rounds_and_the_data_those_of_the_device(canonical: FinishedRun) -> None:
    entries = told(canonical, explained(canonical))["wire"]
    for entry, device in zip(entries, canonical.report["devices"], strict=True):
        assert entry["node"] == device["id"]
        assert entry["parameter_bytes"] == 3 * device["measured"]["sent_bytes_per_round"]
    per_image = 8 * 8 + 1
    assert sum(entry["data_bytes"] for entry in entries) == per_image * (1797 - 359 - 719)


def test_updates_and_headers_are_no_leak_and_one_byte_more_is(canonical: FinishedRun) -> None:
    sent = explained(canonical)
    assert told(canonical, sent)["passed"]
    report = told(canonical, [sent[0], sent[1] + 1, sent[2]])
    headers = report["wire"][1]["header_bytes"]
    what = f"{headers + 1} bytes left it that are no parameters, {headers} at most are headers"
    assert (report["passed"], report["failures"]) == (False, [f"device-1: {what}"])


def test_only_all_rounds_of_all_devices_with_counted_updates_are_counted(canonical: FinishedRun) -> None:
    assert is_counted(canonical.job, BEGINNING)
    assert not is_counted(canonical.job, Position(0, 1))
    assert not is_counted(canonical.job, Position(1, 0))
    assert not is_counted(replace(canonical.job, legs=(Leg(), LOST)), BEGINNING)
    uncounted = replace(canonical.job.settings, collectives=GLOO)
    assert not is_counted(replace(canonical.job, settings=uncounted), BEGINNING)
