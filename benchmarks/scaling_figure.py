"""The figure of scaling.py: time and memory over nodes and over layers, on logarithmic scales.

A filled mark is a plan whose proven gap is at most half a per cent, a hollow one all else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

SMALL_GAP = 0.005
# Okabe and Ito's palette, https://jfly.uni-koeln.de/color/
STYLES = {
    "server": ("#0072b2", "o", "serial, server"),
    "peer": ("#e69f00", "s", "serial, peer"),
    "gpipe": ("#009e73", "^", "pipeline, gpipe"),
    "1f1b": ("#cc79a7", "D", "pipeline, 1f1b"),
}
RC = {
    "font.size": 9.0,
    "svg.hashsalt": "edgeplan",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#d0d1d2",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the figure.

    Parameters
    ----------
    rows
        Measurements of scaling.py.
    path
        Ends in .svg or .png.
    """
    with rc_context(RC):  # type: ignore[arg-type]
        figure = Figure(figsize=(9.0, 6.0), layout="constrained")
        axes = figure.subplots(2, 2, sharey="row")
        for column, sweep in enumerate(("nodes", "layers")):
            chosen = [row for row in rows if row["sweep"] == sweep and row.get("solving_s") is not None]
            _panel(axes[0, column], chosen, sweep, "solving_s", 1.0)
            _panel(axes[1, column], chosen, sweep, "peak_bytes", 2.0**20)
            axes[1, column].set_xlabel(_label(chosen, sweep))
        axes[0, 0].set_ylabel("time of solving (s)")
        axes[1, 0].set_ylabel("peak memory (MiB)")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
        path.parent.mkdir(parents=True, exist_ok=True)
        dated = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(path, metadata=dated, facecolor="white", dpi=150)


def _label(rows: list[dict[str, Any]], sweep: str) -> str:
    other = "layers" if sweep == "nodes" else "nodes"
    fixed = {row[other] for row in rows}
    return f"{sweep}, at {' and '.join(f'{size:,}' for size in sorted(fixed))} {other}"


def _panel(axes: Axes, rows: list[dict[str, Any]], sweep: str, figure: str, unit: float) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis, steps in ((axes.xaxis, (1.0,) if sweep == "nodes" else (1.0, 3.0)), (axes.yaxis, (1.0, 3.0))):
        axis.set_major_locator(LogLocator(10.0, subs=steps))
        axis.set_major_formatter(FuncFormatter(plain))
        axis.set_minor_formatter(NullFormatter())
    for schedule, (colour, mark, label) in STYLES.items():
        of_schedule = [row for row in rows if row["schedule"] == schedule]
        sizes = [row[sweep] for row in of_schedule]
        values = [row[figure] / unit for row in of_schedule]
        if not sizes:
            continue
        axes.plot(sizes, values, color=colour, marker=mark, markersize=4.5, linewidth=1.4, label=label)
        hollow = [k for k, row in enumerate(of_schedule) if not _is_proven(row)]
        axes.plot(
            [sizes[k] for k in hollow],
            [values[k] for k in hollow],
            color=colour,
            marker=mark,
            markersize=4.5,
            linestyle="none",
            markerfacecolor="white",
        )


def _is_proven(row: dict[str, Any]) -> bool:
    gap = row.get("gap")
    return gap is not None and gap <= SMALL_GAP


def plain(value: float, _place: object) -> str:
    """Write the label of a tick."""
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"
