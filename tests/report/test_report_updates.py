"""Pages of sparse_update: who updates what, devices, aggregation and collectives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page_reader import NASTY, Reader, stands_alone
from report_documents import write

import edgeplan
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.models.sparse_update.examples import two_layers_two_boards
from edgeplan.models.sparse_update.generated import Size, generated
from edgeplan.report import render_report

PROBLEM = two_layers_two_boards()


def text_of(folder: Path, **documents: dict[str, Any]) -> str:
    page = render_report(write(folder, **documents))
    assert stands_alone(page)
    return " ".join(Reader(page).text.split())


def test_a_page_shows_updates_devices_and_collectives(tmp_path: Path) -> None:
    result = edgeplan.solve(PROBLEM).to_document()
    text = text_of(tmp_path, instance=PROBLEM.document, result=result)
    for part in (
        "two layers on two boards",
        "2 layers on 2 devices",
        "Who updates what",
        "Devices",
        "Collectives in their one order",
        "Dense, in one all-reduce",
        "Checked against the instance: every rule and limit holds.",
    ):
        assert part in text
    assert "small 2 1 1,000 B 66.7 %" in text
    assert "35 ms" in text


def test_a_result_alone_shows_its_plan_as_it_is(tmp_path: Path) -> None:
    text = text_of(tmp_path, result=edgeplan.solve(PROBLEM).to_document())
    assert "Plan as it is" in text
    assert "Who updates what" not in text


def test_a_plan_that_breaks_a_limit_is_shown_with_what_it_breaks(tmp_path: Path) -> None:
    result = edgeplan.solve(PROBLEM).to_document()
    result["plan"]["devices"][0] |= {"depth": 2, "updates": result["plan"]["devices"][1]["updates"]}
    text = text_of(tmp_path, instance=PROBLEM.document, result=result)
    assert "device small needs 2000 bytes and has 1500, 500 too few" in text
    assert "133 %" in text


def test_devices_that_do_the_same_share_a_row(tmp_path: Path) -> None:
    size = Size(num_devices=40, num_classes=3, least_bytes=50 * 1024, most_bytes=140 * 1024)
    problem = SparseUpdate.from_document(generated(size, seed=2, aggregation_weight=0.0))
    text = text_of(tmp_path, instance=problem.document, result=edgeplan.solve(problem).to_document())
    assert "more" in text
    assert "51 layers on 40 devices" in text


@pytest.mark.parametrize("nasty", NASTY)
def test_names_cannot_break_the_page(tmp_path: Path, nasty: str) -> None:
    devices = [dict(device) for device in PROBLEM.document["devices"]]
    devices[0]["id"] = nasty
    problem = PROBLEM.replace(devices=devices, name=nasty)
    text_of(tmp_path, instance=problem.document, result=edgeplan.solve(problem).to_document())
