"""The report for a terminal: predicted beside measured, and rounds."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgeplan.runtime.federated.report.rounds import JsonObject
from edgeplan.runtime.report.privacy import privacy_table
from edgeplan.runtime.report.table import equal_bytes, figure, imitation, pair, remarks, titled

MIB = 2**20


def render(report: JsonObject) -> RenderableType:
    """Return tables of a run's report.

    Parameters
    ----------
    report
        What `run` returned.
    """
    return Group(*_parts(report))


def _parts(report: JsonObject) -> Iterator[RenderableType]:
    yield _clients(report)
    yield _rounds(report)
    yield from privacy_table(report["privacy"])
    yield imitation(report["emulation"])
    yield from remarks(report)


def _clients(report: JsonObject) -> Table:
    columns = ("client", "rounds", "bytes in", "bytes out", "transfer s", "compute s", "peak MiB")
    table = titled(f"{report['name']}: predicted / measured, all rounds together", *columns)
    for client in report["clients"]:
        predicted, measured = client["predicted"], client["measured"]
        peaks = (predicted["peak_bytes"], measured["memory_bytes"])
        table.add_row(
            client["node"],
            str(client["rounds"]),
            *(equal_bytes(predicted[name], measured[name]) for name in ("bytes_in", "bytes_out")),
            pair(*(row["transfer_in_s"] + row["transfer_out_s"] for row in (predicted, measured))),
            pair(predicted["compute_s"], measured["compute_s"]),
            pair(*(None if one is None else one / MIB for one in peaks)),
        )
    return table


def _rounds(report: JsonObject) -> Table:
    columns = ("clients", "seconds predicted / measured", "bytes moved", "loss", "accuracy", "lost")
    table = titled("rounds", "round", *columns)
    for entry in report["rounds"]:
        table.add_row(
            str(entry["round"]),
            str(len(entry["clients"])),
            pair(entry["predicted_time_s"], entry["time_s"]),
            equal_bytes(entry["predicted_bytes_moved"], entry["bytes_moved"]),
            figure(entry["loss"], ".4f"),
            figure(entry["accuracy"], ".4f"),
            Text(", ".join(entry["lost"]), style="bold red"),
        )
    totals = report["totals"]
    table.add_section()
    table.add_row(
        "all",
        "",
        pair(totals["predicted_s"], totals["measured_s"]),
        equal_bytes(totals["predicted_bytes"], totals["measured_bytes"]),
    )
    return table
