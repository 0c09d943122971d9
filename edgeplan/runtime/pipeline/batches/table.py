"""The report for a terminal: predicted beside measured, stage by stage and batch by batch."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table

from edgeplan.runtime.pipeline.batches.report import JsonObject
from edgeplan.runtime.report.table import equal_bytes, figure, imitation, pair, remarks, titled


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
    yield _batches(report)
    yield imitation(report["emulation"])
    yield from remarks(report)


def _stages(report: JsonObject) -> Table:
    columns = ("node", "layers", "compute ms", "transfer ms", "memory MiB", "bytes in", "bytes out")
    table = titled(f"{report['name']}: predicted / measured, of a micro-batch", *columns)
    lost = {one["node"] for one in report["lost"]}
    for stage in report["stages"]:
        predicted, measured = stage["predicted"], stage["measured"]
        table.add_row(
            f"{stage['node']} (lost)" if stage["node"] in lost else stage["node"],
            str(len(stage["layers"])),
            pair(1e3 * predicted["compute_s"], 1e3 * measured["compute_s"]),
            pair(1e3 * predicted["transfer_out_s"], 1e3 * measured["transfer_out_s"]),
            pair(predicted["memory_bytes"] / 2**20, measured["memory_bytes"] / 2**20),
            *(equal_bytes(predicted[name], measured[name]) for name in ("bytes_in", "bytes_out")),
        )
    return table


def _batches(report: JsonObject) -> Table:
    columns = ("batch", "seconds predicted / measured", "bytes", "train loss", "loss", "accuracy")
    table = titled("held-out images", *columns)
    for entry in report["rounds"]:
        table.add_row(
            str(entry["round"]),
            pair(entry["predicted_time_s"], entry["time_s"]),
            equal_bytes(entry["predicted_bytes_moved"], entry["bytes_moved"]),
            *(figure(entry[name], ".4f") for name in ("train_loss", "loss", "accuracy")),
        )
    return table
