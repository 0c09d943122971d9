"""Pages of segment_scheduling: slots, budgets, queues and clusters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from report_documents import write
from small_segments import plan, problem
from small_segments import result as result_of

from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.report import render_report

PROBLEM, PLAN = problem(slots=12), plan(slots=12)
DOCUMENT = PROBLEM.document


def result(**members: Any) -> dict[str, Any]:
    return result_of(PROBLEM, PLAN, **members)


def test_a_page_shows_the_slots_and_the_clusters(tmp_path: Path) -> None:
    page = render_report(write(tmp_path, instance=DOCUMENT, result=result()))
    for title in (
        "What it takes",
        "Latency of every slot",
        "Longest queues",
        "Budgets, the most exceeded first",
    ):
        assert f"<h3>{title}</h3>" in page
    assert "2 blocks on 2 devices in 1 cluster, 12 slots" in page
    assert "1 cluster of 2 devices together." in page


def test_a_result_alone_shows_its_latency(tmp_path: Path) -> None:
    page = render_report(write(tmp_path, result=result()))
    assert "Latency of every slot" in page
    assert "Budgets, the most exceeded first" not in page


def test_an_instance_alone_shows_clusters_and_model(tmp_path: Path) -> None:
    page = render_report(write(tmp_path, instance=DOCUMENT))
    assert "<h2>Clusters</h2>" in page
    assert "<h2>Model</h2>" in page


def test_results_side_by_side_compare_their_mean_latency(tmp_path: Path) -> None:
    other = result(solver={"name": "another", "version": "2"})
    page = render_report(write(tmp_path, instance=DOCUMENT, one=result(), two=other))
    assert "mean latency</th>" in page


def test_a_plan_that_breaks_rules_is_said_to(tmp_path: Path) -> None:
    narrow = DOCUMENT | {"uplink_bandwidth_hz": 1.0}
    judged = result(instance_sha256=SegmentScheduling.from_document(narrow).instance_sha256)
    page = render_report(write(tmp_path, instance=narrow, result=judged))
    assert "plan breaks rules" in page
    assert "uplink_band" in page


@pytest.mark.parametrize("num_slots", [1, 5_000])
def test_any_number_of_slots_is_drawn_in_bounded_space(tmp_path: Path, num_slots: int) -> None:
    metrics = result()["metrics"]
    slots = [metrics["slots"][k % 12] for k in range(num_slots)]
    page = render_report(write(tmp_path, result=result(metrics=metrics | {"slots": slots})))
    assert len(page) < 2_000_000
