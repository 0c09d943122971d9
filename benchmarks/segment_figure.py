"""The figure of segment_speed.py: time of a slot over clusters, devices and blocks, and the gap reached.

A filled mark is a slot that reached the gap asked for, a hollow one all else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

from benchmarks.scaling_figure import RC, plain

SWEEPS = ("clusters", "devices", "blocks")
STYLES = {"cold": ("#0072b2", "o", "first slot"), "warm": ("#e69f00", "s", "later slots")}
_LEAST_GAP = 1e-7  # where a gap of 0 is drawn


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the figure.

    Parameters
    ----------
    rows
        Measurements of the last part of segment_speed.py.
    path
        Ends in .svg or .png.
    """
    with rc_context(RC):  # type: ignore[arg-type]
        figure = Figure(figsize=(9.0, 5.4), layout="constrained")
        axes = figure.subplots(2, 3, sharey="row", sharex="col")
        for column, sweep in enumerate(SWEEPS):
            chosen = [row for row in rows if row["sweep"] == sweep and row["failure"] is None]
            _panel(axes[0, column], chosen, sweep, "s", 1.0)
            _panel(axes[1, column], chosen, sweep, "gap", 100.0)
            axes[1, column].set_xlabel(_label(chosen, sweep))
        axes[0, 0].set_ylabel("time of a slot (s)")
        axes[1, 0].set_ylabel("gap reached (%)")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=max(1, len(labels)))
        path.parent.mkdir(parents=True, exist_ok=True)
        dated = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(path, metadata=dated, facecolor="white", dpi=150)


def _label(rows: list[dict[str, Any]], sweep: str) -> str:
    others = [name for name in SWEEPS if name != sweep]
    fixed = {name: sorted({row[name] for row in rows}) for name in others}
    told = [f"{' and '.join(map(str, sizes))} {name}" for name, sizes in fixed.items() if sizes]
    each = " a cluster" if sweep == "devices" else ""
    return f"{sweep}{each}" + (f"\nat {', '.join(told)}" if told else "")


def _panel(axes: Axes, rows: list[dict[str, Any]], sweep: str, what: str, unit: float) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(FixedLocator(sorted({row[sweep] for row in rows})))
    axes.yaxis.set_major_locator(LogLocator(10.0))
    axes.tick_params(which="minor", bottom=False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(plain))
        axis.set_minor_formatter(NullFormatter())
    for name, (colour, mark, label) in STYLES.items():
        own = [row for row in rows if row[f"{name}_{what}"] is not None]
        if not own:
            continue
        sizes = [row[sweep] for row in own]
        values = [unit * max(row[f"{name}_{what}"], _LEAST_GAP) for row in own]
        style = {"color": colour, "marker": mark, "markersize": 4.5}
        axes.plot(sizes, values, linewidth=1.4, label=label, **style)
        hollow = [k for k, row in enumerate(own) if row[f"{name}_gap"] > 1.001 * row["asked"]]
        points = [sizes[k] for k in hollow], [values[k] for k in hollow]
        axes.plot(*points, linestyle="none", markerfacecolor="white", **style)
