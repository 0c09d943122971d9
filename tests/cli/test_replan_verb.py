"""replan: the new result, and what it takes to get there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import CommandLine, write
from small_instances import document, node, plan

from edgeplan.models.result import Result

OLD = plan("x:a", "p:bc")


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    return write(tmp_path / "now.json", document(nodes=[node(name, memory_bytes=360) for name in "pq"]))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return write(tmp_path / "old.json", {"plan": OLD.to_document(), "instance_sha256": "0" * 64})


def test_the_result_says_who_left_and_what_must_move(
    edgeplan: CommandLine, instance: Path, old: Path, tmp_path: Path
) -> None:
    called = edgeplan("replan", instance, old, "-o", tmp_path / "new.json")
    result = Result.model_validate(json.loads((tmp_path / "new.json").read_text()))
    assert (called.code, called.out, result.status) == (0, "", "optimal")
    assert result.replanned is not None
    assert result.replanned.migration is not None
    assert result.replanned.migration.left == ("x",)
    assert "repaired: the instance has no node x" in called.err
    assert "1 left (x)" in called.err
    assert f"{result.replanned.migration.moved_bytes} B for" in called.err


def test_that_the_old_result_is_of_another_instance_goes_without_saying(
    edgeplan: CommandLine, instance: Path, old: Path
) -> None:
    assert "another instance" not in edgeplan("replan", instance, old).err


def test_an_instance_without_a_plan_ends_with_3(edgeplan: CommandLine, old: Path, tmp_path: Path) -> None:
    small = write(tmp_path / "small.json", document(nodes=[node("p", memory_bytes=360)]))
    called = edgeplan("replan", small, old)
    assert called.code == 3
    assert "not repaired: the instance has no node x" in called.err
    assert json.loads(called.out)["replanned"]["migration"] is None


def test_a_result_without_a_plan_is_refused(edgeplan: CommandLine, instance: Path, tmp_path: Path) -> None:
    called = edgeplan("replan", instance, write(tmp_path / "r.json", {"status": "no_plan"}))
    assert called.code == 2


def test_the_report_shows_the_change_over(
    edgeplan: CommandLine, instance: Path, old: Path, tmp_path: Path
) -> None:
    pytest.importorskip("jinja2")
    edgeplan("replan", instance, old, "-o", tmp_path / "new.json")
    edgeplan("report", instance, tmp_path / "new.json", "-o", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "From the old plan to this one" in page
    assert "Bytes to move first" in page
