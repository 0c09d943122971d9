"""The report for a terminal: predicted beside measured, and rounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgeplan.runtime.data.samples import TOPICS
from edgeplan.runtime.report.privacy import privacy_table
from edgeplan.runtime.report.table import equal_bytes, figure, imitation, pair, remarks, titled
from edgeplan.runtime.snake.report.incidents import incident_line
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
    yield from privacy_table(report["privacy"])
    yield from _incidents(report)
    yield imitation(report["emulation"])
    yield from remarks(report)


def _stages(report: JsonObject) -> Table:
    columns = (
        "node",
        "bytes in",
        "bytes out",
        "transfer s",
        "compute s",
        "limit MiB",
        "peak MiB",
        "frozen kept",
    )
    table = titled(f"{report['name']}: predicted / measured", *columns)
    for stage in report["stages"]:
        predicted, measured = stage["predicted"], stage["measured"]
        transfer = [_transfer_s(row) for row in (predicted, measured)]
        table.add_row(
            stage["node"],
            *(_bytes(stage, name) for name in ("bytes_in", "bytes_out")),
            pair(*transfer),
            pair(predicted["compute_s"], measured["compute_s"]),
            f"{predicted['memory_bytes'] / 2**20:.4g}",
            pair(predicted["peak_bytes"] / 2**20, measured["memory_bytes"] / 2**20),
            YES if stage["frozen_unchanged"] else NO,
        )
    _add_totals(table, report["totals"])
    return table


def _bytes(stage: JsonObject, name: str) -> RenderableType:
    if stage["measured"]["compute_s"] is None:  # no round followed this plan from beginning to end
        return pair(stage["predicted"][name], None)
    return equal_bytes(stage["predicted"][name], stage["measured"][name])


def _transfer_s(row: JsonObject) -> float | None:
    known = [row[name] for name in ("transfer_in_s", "transfer_out_s") if row[name] is not None]
    return sum(known) if known else None


def _add_totals(table: Table, totals: JsonObject) -> None:
    table.add_section()
    table.add_row(
        "round",
        equal_bytes(totals["predicted_bytes_per_round"], totals["measured_bytes_per_round"]),
        "",
        "",
        pair(totals["predicted_round_s"], totals["measured_round_s"]),
        "",
        "",
        YES if totals["frozen_unchanged"] else NO,
    )


def _rounds(report: JsonObject) -> Table:
    columns = ["round", "seconds predicted / measured", "bytes moved", "loss", "accuracy"]
    of_text = report["settings"]["data"] == TOPICS
    table = titled("rounds", *columns, *(["perplexity"] if of_text else []))
    for entry in report["rounds"]:
        table.add_row(
            str(entry["round"]),
            "interrupted" if entry["interrupted"] else pair(entry["predicted_time_s"], entry["time_s"]),
            f"{entry['bytes_moved']:,}",
            figure(entry["loss"], ".4f"),
            figure(entry["accuracy"], ".4f"),
            *([figure(entry["perplexity"], ".3f")] if of_text else []),
        )
    return table


def _incidents(report: JsonObject) -> Iterator[Text]:
    for incident in report["incidents"]:
        yield Text(f"lost: {incident_line(incident)}")


def _baseline(report: JsonObject) -> Table:
    baseline, totals = report["baseline"], report["totals"]
    title = f"after {baseline['device_iterations']} device iterations each"
    table = titled(title, "", "Snake", baseline["name"], "ratio")
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
        table.add_row(name, figure(snake, style), figure(other, style), figure(ratio, ".4f"))
    return table
