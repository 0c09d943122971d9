"""The report for a terminal: predicted beside measured, stage by stage and slot by slot."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table

from edgeplan.runtime.pipeline.report.slot_figures import JsonObject
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
    yield _clusters(report)
    yield _rounds(report)
    yield imitation(report["emulation"])
    yield from remarks(report)


def _stages(report: JsonObject) -> Table:
    columns = ("device", "slot", "blocks", "compute ms", "transfer ms", "memory MiB", "bytes out and back")
    table = titled(f"{report['name']}: predicted / measured, of a micro-batch", *columns)
    lost = {one["node"] for one in report["lost"]}
    for stage in report["stages"]:
        predicted, measured = stage["predicted"], stage["measured"]
        table.add_row(
            f"{stage['node']} (lost)" if stage["node"] in lost else stage["node"],
            str(stage["round"]),
            str(len(stage["layers"])),
            pair(1e3 * predicted["compute_s"], 1e3 * measured["compute_s"]),
            pair(1e3 * predicted["transfer_out_s"], 1e3 * measured["transfer_out_s"]),
            pair(predicted["memory_bytes"] / 2**20, measured["memory_bytes"] / 2**20),
            equal_bytes(*(one["bytes_out"] + one["bytes_in"] for one in (predicted, measured))),
        )
    return table


def _clusters(report: JsonObject) -> Table:
    columns = ("cluster", "slot", "micro-batches", "upload s", "latency s", "train loss")
    table = titled("clusters, predicted / measured", *columns)
    for entry in report["rounds"]:
        for cluster in entry["clusters"]:
            predicted, measured = cluster["predicted"], cluster["measured"]
            table.add_row(
                cluster["cluster"],
                str(entry["round"]),
                str(cluster["micro_batches"]),
                pair(predicted["upload_s"], measured["upload_s"]),
                pair(predicted["latency_s"], measured["latency_s"]),
                figure(cluster["train_loss"], ".4f"),
            )
    return table


def _rounds(report: JsonObject) -> Table:
    columns = ("slot", "seconds predicted / measured", "bytes", "loss", "accuracy")
    before = figure(report["totals"]["loss_before"], ".4f")
    table = titled(f"held-out text; loss before {before}", *columns)
    for entry in report["rounds"]:
        predicted = sum(hop["predicted_bytes"] for hop in entry["hops"])
        table.add_row(
            str(entry["round"]),
            pair(entry["predicted_time_s"], entry["time_s"]),
            equal_bytes(predicted, entry["bytes_moved"]),
            figure(entry["loss"], ".4f"),
            figure(entry["accuracy"], ".4f"),
        )
    return table
