"""The scaling benchmark measures in fresh processes and shows what it measured."""

from __future__ import annotations

from pathlib import Path

from benchmarks.at_size_instances import CASES
from benchmarks.scaling import cases, measured, points, table
from benchmarks.scaling_figure import draw

ROW = {
    "sweep": "nodes",
    "case": "bar",
    "schedule": "peer",
    "layers": 100,
    "nodes": 10_000,
    "reading_s": 0.5,
    "solving_s": 2.0,
    "status": "optimal",
    "objective": 12.5,
    "bound": 12.5,
    "gap": 1e-7,
    "num_stages": 10,
    "solver": "cp-sat",
    "peak_bytes": 2**27,
}


def test_a_point_is_measured_in_a_process_of_its_own() -> None:
    point = {"sweep": "nodes", "case": "bar", "schedule": "server", "layers": 4, "nodes": 10}
    row = measured(point, 20.0, 0.0)
    assert row["status"] == "optimal"
    assert row["peak_bytes"] > 2**24
    assert {"reading_s", "solving_s", "gap"} <= set(row)


def test_a_process_that_fails_is_a_row_too() -> None:
    point = {"sweep": "nodes", "case": "bar", "schedule": "server", "layers": 0, "nodes": 10}
    row = measured(point, 20.0, 0.0)
    assert row["status"] == "ended with 1"
    assert list(table([row]))[-1].startswith("| bar | server | 0 | 10 |")


def test_the_table_has_a_row_a_point() -> None:
    figures = "0.50 s | 2.00 s | 128 MiB | optimal | 12.5 | 12.5 | 1e-05 %"
    expected = f"| bar | peer | 100 | 10,000 | {figures} | cp-sat |"
    assert list(table([ROW]))[-1] == expected


def test_the_sweeps_span_four_decades_of_nodes_and_two_of_layers() -> None:
    swept = list(points(("peer",), 1))
    assert {point["nodes"] for point in swept} >= {10, 100, 1_000, 10_000, 100_000}
    assert {point["layers"] for point in swept} >= {4, 400}


def test_every_case_is_measured_with_every_schedule() -> None:
    assert {(point["case"], point["schedule"]) for point in cases(("peer", "gpipe"))} == {
        (case, schedule) for case in CASES for schedule in ("peer", "gpipe")
    }


def test_the_figure_is_drawn_the_same_each_time(tmp_path: Path) -> None:
    rows = [ROW, ROW | {"nodes": 100, "gap": None}, ROW | {"sweep": "layers", "layers": 4}]
    for name in ("one.svg", "other.svg"):
        draw(rows, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "other.svg").read_bytes()
