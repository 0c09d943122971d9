"""The report for a terminal: predicted beside measured, and rounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgeplan.runtime.snake.report.rounds import JsonObject

YES, NO = Text("yes", style="green"), Text("no", style="bold red")


def render(report: JsonObject) -> RenderableType:
    """Return tables of a run's report.

    Parameters
    ----------
    report
        What `run` returned.
    """
    return Group(*_parts(report))


def _parts(report: JsonObject) -> Iterator[RenderableType]:
    yield _stages(report)
    yield _rounds(report)
    if report["baseline"] is not None:
        yield _baseline(report)
    for note in report["notes"]:
        yield Text(f"note: {note}", style="dim")
    for failure in report["failures"]:
        yield Text(f"failed: {failure}", style="bold red")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    return table


def _stages(report: JsonObject) -> Table:
    columns = ("node", "bytes in", "bytes out", "transfer s", "compute s", "memory MiB", "frozen kept")
    table = _table(f"{report['name']}: predicted / measured", *columns)
    for stage in report["stages"]:
        predicted, measured = stage["predicted"], stage["measured"]
        transfer = [row["transfer_in_s"] + row["transfer_out_s"] for row in (predicted, measured)]
        table.add_row(
            stage["node"],
            *(_bytes(predicted[name], measured[name]) for name in ("bytes_in", "bytes_out")),
            _pair(*transfer),
            _pair(predicted["compute_s"], measured["compute_s"]),
            _pair(*(row["memory_bytes"] / 2**20 for row in (predicted, measured))),
            YES if stage["frozen_unchanged"] else NO,
        )
    _add_totals(table, report["totals"])
    return table


def _add_totals(table: Table, totals: JsonObject) -> None:
    table.add_section()
    table.add_row(
        "round",
        _bytes(totals["predicted_bytes_per_round"], totals["measured_bytes_per_round"]),
        "",
        "",
        _pair(totals["predicted_round_s"], totals["measured_round_s"]),
        "",
        YES if totals["frozen_unchanged"] else NO,
    )


def _rounds(report: JsonObject) -> Table:
    table = _table("rounds", "round", "seconds predicted / measured", "bytes moved", "loss", "accuracy")
    for entry in report["rounds"]:
        table.add_row(
            str(entry["round"]),
            _pair(entry["predicted_time_s"], entry["time_s"]),
            f"{entry['bytes_moved']:,}",
            _figure(entry["loss"], ".4f"),
            _figure(entry["accuracy"], ".4f"),
        )
    return table


def _baseline(report: JsonObject) -> Table:
    baseline, totals = report["baseline"], report["totals"]
    title = f"after {baseline['device_iterations']} device iterations each"
    table = _table(title, "", "Snake", baseline["name"], "ratio")
    rows: list[tuple[str, Any, Any, Any, str]] = [
        ("accuracy", totals["accuracy"], baseline["accuracy"], baseline["snake_accuracy_ratio"], ".4f"),
        ("loss", totals["loss"], baseline["rounds"][-1]["loss"], None, ".4f"),
        (
            "bytes a round",
            totals["measured_bytes_per_round"],
            baseline["bytes_per_round"],
            baseline["snake_bytes_ratio"],
            ",",
        ),
    ]
    for name, snake, other, ratio, style in rows:
        table.add_row(name, _figure(snake, style), _figure(other, style), _figure(ratio, ".4f"))
    return table


def _figure(value: float | None, style: str) -> str:
    return "" if value is None else format(value, style)


def _pair(predicted: float, measured: float) -> str:
    return f"{predicted:.4g} / {measured:.4g}"


def _bytes(predicted: int, measured: int | None) -> Text:
    if predicted == measured:
        return Text(f"{predicted:,} =")
    return Text(f"{predicted:,} / {'differs' if measured is None else f'{measured:,}'}", style="bold red")
