"""The report for a terminal: predicted beside measured, the plan beside the baseline, and rounds."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgeplan.runtime.report.table import equal_bytes, figure, imitation, pair, remarks, titled
from edgeplan.runtime.sparse.execution.report.phase_figures import JsonObject

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
    yield _devices(report)
    if report["collectives"]:
        yield _collectives(report)
    yield _totals(report)
    yield _rounds(report)
    yield imitation(report["emulation"])
    yield from remarks(report)


def _devices(report: JsonObject) -> Table:
    columns = (
        "device",
        "depth, updates",
        "needs MiB",
        "peak MiB",
        "saved MiB",
        "eager saves",
        "step ms",
        "sent bytes",
    )
    table = titled(f"{report['name']}: predicted / measured", *columns)
    lost = {one["node"] for one in report["lost"]}
    for device in report["devices"]:
        predicted, measured = device["predicted"], device["measured"]
        sent = measured["sent_bytes_per_round"]
        table.add_row(
            f"{device['id']} (lost)" if device["id"] in lost else device["id"],
            f"{device['depth']}, {device['num_updates']}",
            f"{predicted['memory_bytes'] / MIB:.4g}",
            pair(predicted["peak_bytes"] / MIB, measured["memory_bytes"] / MIB),
            pair(predicted["saved_bytes"] / MIB, measured["saved_bytes"] / MIB),
            f"{measured['eager_saved_bytes'] / MIB:.4g}",
            pair(1e3 * predicted["step_s"], _milliseconds(measured["step_s"])),
            "" if sent is None else f"{sent:,}",
        )
    return table


def _collectives(report: JsonObject) -> Table:
    table = titled("collectives, each alone", "", "among", "slices", "bytes", "ms predicted / measured")
    for one in report["collectives"]:
        receivers = [name for name in one["members"] if name != one["root"]]
        among = f"{one['root']} to {', '.join(receivers)}" if one["root"] else ", ".join(one["members"])
        table.add_row(
            one["kind"],
            among,
            str(one["num_slices"]),
            f"{one['num_bytes']:,}",
            pair(1e3 * one["predicted"]["seconds"], 1e3 * one["measured"]["seconds"]),
        )
    return table


def _totals(report: JsonObject) -> Table:
    baseline = report["baseline"]
    columns = ("", "plan", *([baseline["name"], "ratio"] if baseline else []))
    table = titled("predicted / measured", *columns)
    phases = [report["totals"], *([baseline["totals"]] if baseline else [])]
    for label, predicted, measured, scale in _ROWS:
        figures = [(phase.get(predicted), phase[measured]) for phase in phases]
        table.add_row(label, *(_figures(*both, scale) for both in figures), *_ratio(figures))
    table.add_section()
    table.add_row("bytes a round", *(_bytes(phase) for phase in phases), *_bytes_ratio(phases))
    for label, name in (("collectives", "num_collectives"), ("groups that average", "num_groups")):
        pairs = [f"{phase[f'predicted_{name}']} / {phase[f'measured_{name}']}" for phase in phases]
        table.add_row(label, *pairs, *([""] if baseline else []))
    table.add_row("process groups", *(str(phase["process_groups"]) for phase in phases))
    table.add_section()
    for label, name, style in (("accuracy", "accuracy", ".4f"), ("loss", "loss", ".4f")):
        table.add_row(label, *(figure(phase[name], style) for phase in phases))
    return table


_ROWS = (
    ("memory needed MiB, mean", "", "mean_predicted_memory_bytes", 1 / MIB),
    ("peak MiB, mean", "mean_predicted_peak_bytes", "mean_measured_memory_bytes", 1 / MIB),
    ("saved MiB, mean", "mean_predicted_saved_bytes", "mean_measured_saved_bytes", 1 / MIB),
    ("saved MiB in eager PyTorch, mean", "", "mean_measured_eager_saved_bytes", 1 / MIB),
    ("step ms, slowest", "predicted_step_s", "measured_step_s", 1e3),
    ("aggregation ms", "predicted_aggregation_s", "measured_aggregation_s", 1e3),
    ("  its collectives each alone", "predicted_one_after_another_s", "measured_one_after_another_s", 1e3),
    ("round ms", "predicted_round_s", "measured_round_s", 1e3),
)
"""Label, members of the totals, and what a figure is multiplied by."""


def _figures(predicted: float | None, measured: float | None, scale: float) -> str:
    scaled = None if measured is None else measured * scale
    return figure(scaled, ".4g") if predicted is None else pair(predicted * scale, scaled)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1e3 * seconds


def _ratio(figures: list[tuple[float | None, float | None]]) -> list[str]:
    if len(figures) < 2:
        return []
    own, dense = (measured for _, measured in figures)
    return [f"{own / dense:.3f}" if own is not None and dense else ""]


def _bytes(totals: JsonObject) -> Text:
    predicted, measured = totals["predicted_bytes_per_round"], totals["measured_bytes_per_round"]
    if totals["bytes_equal"] is None:
        return Text(f"{predicted:,} / not counted")
    return equal_bytes(predicted, measured)


def _bytes_ratio(phases: list[JsonObject]) -> list[str]:
    if len(phases) < 2:
        return []
    own, dense = (phase["predicted_bytes_per_round"] for phase in phases)
    return [f"{own / dense:.3f}" if dense else ""]


def _rounds(report: JsonObject) -> Table:
    baseline = report["baseline"]
    names = ("accuracy", "loss")
    columns = [*names, *(f"{baseline['name']} {name}" for name in names)] if baseline else [*names]
    table = titled("held-out images", "round", "devices", "aggregation ms", "train loss", *columns, "lost")
    others = baseline["rounds"] if baseline else [None] * len(report["rounds"])
    for entry, other in zip(report["rounds"], others, strict=True):
        if entry["accuracy"] is None and not entry["lost"]:
            continue
        both = [entry] if other is None else [entry, other]
        table.add_row(
            str(entry["round"]),
            str(entry["num_devices"]),
            f"{1e3 * entry['aggregation_s']:.4g}",
            figure(entry["train_loss"], ".4f"),
            *(figure(one[name], ".4f") for one in both for name in names),
            Text(", ".join(entry["lost"]), style="bold red"),
        )
    return table
