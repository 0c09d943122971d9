"""The figure of sparse_executed.py: memory of a step, seconds of a round and accuracy, a bar a contender."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.scaling_figure import RC
from benchmarks.sparse_executed_table import MIB, Row

DENSE, RIVAL, OURS = "#999999", "#e69f00", "#0072b2"


def draw(rows: Sequence[Row], path: Path) -> None:
    """Write the figure.

    Parameters
    ----------
    rows
        Figures of all contenders.
    path
        Ends in .svg or .png.
    """
    with rc_context(RC):  # type: ignore[arg-type]
        figure = Figure(figsize=(10.0, 0.34 * len(rows) + 1.2), layout="constrained")
        memory, rounds, accuracy = figure.subplots(1, 3, sharey=True)
        _bars(memory, rows, [one.memory_bytes / MIB for one in rows], "{:.2f}")
        memory.set_xlabel("memory of a step, mean (MiB)")
        _bars(rounds, rows, [one.round_s for one in rows], "{:.2f}")
        rounds.set_xlabel("round: slowest step + aggregation (s)")
        _accuracies(accuracy, rows)
        memory.set_yticks(range(len(rows)), [one.name for one in rows])
        memory.invert_yaxis()
        for axes in (memory, rounds, accuracy):
            axes.tick_params(axis="y", length=0)
            axes.set_axisbelow(True)
        path.parent.mkdir(parents=True, exist_ok=True)
        dated = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(path, metadata=dated, facecolor="white", dpi=150)


def _colours(rows: Sequence[Row]) -> list[str]:
    kinds = {"dense": DENSE, "edgeplan": OURS}
    return [kinds.get(one.name.split(",")[0], RIVAL) for one in rows]


def _bars(axes: Axes, rows: Sequence[Row], values: Sequence[float], style: str) -> None:
    bars = axes.barh(range(len(rows)), values, color=_colours(rows), height=0.66)
    axes.bar_label(bars, [style.format(value) for value in values], padding=3, fontsize=8)
    axes.set_xlim(0, 1.18 * max(values))
    axes.grid(visible=False, axis="y")


def _accuracies(axes: Axes, rows: Sequence[Row]) -> None:
    """A dot a seed, a line at their mean."""
    for place, (one, colour) in enumerate(zip(rows, _colours(rows), strict=True)):
        percents = [100 * accuracy for accuracy in one.accuracies]
        axes.plot(percents, [place] * len(percents), "o", color=colour, markersize=4.5, alpha=0.8)
        if percents:
            mean = statistics.fmean(percents)
            axes.plot([mean, mean], [place - 0.33, place + 0.33], color=colour, linewidth=1.6)
    axes.set_xlabel("accuracy, a dot a seed (%)")
    axes.grid(visible=False, axis="y")
