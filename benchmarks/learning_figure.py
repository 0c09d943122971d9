"""The figure of learning.py: score over device iterations for every split, a line a method."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.learning_methods import DISTILLING, FEDERATED, SNAKE, SPLIT
from benchmarks.learning_table import LANGUAGE, Run
from benchmarks.scaling_figure import RC

# Okabe and Ito's palette, https://jfly.uni-koeln.de/color/
STYLES = {
    SNAKE: ("#56b4e9", "-", "o"),
    DISTILLING: ("#0072b2", "-", "s"),
    f"{DISTILLING}, falling rate": ("#0072b2", "--", "D"),
    FEDERATED: ("#e69f00", "-", "^"),
    f"{FEDERATED}, falling rate": ("#e69f00", "--", "v"),
    SPLIT: ("#000000", "-", "x"),
}


def draw(runs: Sequence[Run], path: Path) -> None:
    """Write the figure.

    Parameters
    ----------
    runs
        All runs.
    path
        Ends in .svg or .png.
    """
    tasks = list(dict.fromkeys(run.data for run in runs))
    splits = list(dict.fromkeys(run.split for run in runs))
    with rc_context(RC):  # type: ignore[arg-type]
        figure = Figure(figsize=(10.0, 3.1 * len(tasks) + 0.5), layout="constrained")
        panels = figure.subplots(len(tasks), len(splits), squeeze=False, sharey="row")
        for data, row in zip(tasks, panels, strict=True):
            for split, axes in zip(splits, row, strict=True):
                _lines(axes, [run for run in runs if (run.data, run.split) == (data, split)])
                axes.set_title(f"{data}, {split}", loc="left")
            row[0].set_ylabel("perplexity" if data == LANGUAGE else "accuracy (%)")
        for axes in panels[-1]:
            axes.set_xlabel("device iterations")
        figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
        path.parent.mkdir(parents=True, exist_ok=True)
        dated = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(path, metadata=dated, facecolor="white", dpi=150)


def _lines(axes: Axes, runs: Sequence[Run]) -> None:
    """Mean over the seeds, and from the least to the most as a shade."""
    for method, (colour, line, mark) in STYLES.items():
        own = [run for run in runs if run.method == method]
        if not own:
            continue
        iterations = [point["device_iterations"] for point in own[0].curve]
        scores = list(zip(*([run.score_of(point) for point in run.curve] for run in own), strict=True))
        means = [statistics.fmean(some) for some in scores]
        axes.plot(
            iterations, means, line, color=colour, marker=mark, markersize=3.5, linewidth=1.3, label=method
        )
        axes.fill_between(
            iterations, list(map(min, scores)), list(map(max, scores)), color=colour, alpha=0.1, lw=0
        )
    if runs[0].data != LANGUAGE:
        axes.set_ylim(50.0, 100.0)
