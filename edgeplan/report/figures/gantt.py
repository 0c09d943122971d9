"""Gantt chart of a round or a batch: one lane a stage, in visiting order; planned above measured."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edgeplan.report.figures.canvas import (
    BLUE,
    GREEN,
    GRID,
    MAX_ROWS,
    MUTED,
    ORANGE,
    label_rows,
    label_text,
    legend_above,
    paint,
    rows_height_in,
)
from edgeplan.report.lanes import KINDS, Lane
from edgeplan.report.units import second_scale, seconds_text

_COLOURS = dict(zip(KINDS, (ORANGE, GRID, BLUE, GREEN), strict=True))
_PLANNED_ALPHA = 0.42


def gantt_svg(
    name: str, planned: Sequence[Lane], measured: Sequence[Lane] = (), *, begun: str | None = "the round"
) -> str:
    """Draw the lanes of a plan and, where given, what was measured, row by row.

    Parameters
    ----------
    name
        Name of the figure.
    planned, measured
        Lanes in visiting order, of the same stages.
    begun
        What begins at 0; None where every lane has a time of its own, so that the axis is busy time.
    """
    planned, measured = planned[:MAX_ROWS], measured[:MAX_ROWS]
    longest_s = max((lane.end_s for lane in (*planned, *measured)), default=0.0)
    row_in = 0.46 if measured else 0.34

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        length_s, unit = second_scale(longest_s)
        _lanes(axes, planned, measured, length_s)
        labels = [f"{k}  {label_text(lane.node, 26)}" for k, lane in enumerate(measured or planned, start=1)]
        label_rows(axes, labels, row_in)
        axes.set_xlim(0, max(longest_s / length_s * 1.01, 1e-9))
        what = "busy time of the stage" if begun is None else f"time since {begun} began"
        axes.set_xlabel(f"{what} ({unit})")
        legend_above(figure, *axes.get_legend_handles_labels())

    height_in = rows_height_in(max(len(planned), len(measured)), row_in)
    return paint(name, _alt(planned, measured, longest_s), height_in, draw)


def _lanes(axes: Axes, planned: Sequence[Lane], measured: Sequence[Lane], length_s: float) -> None:
    if not measured:
        _bars(axes, planned, length_s, top=-0.36, height=0.72)
        return
    _bars(axes, planned, length_s, top=-0.40, height=0.36, alpha=_PLANNED_ALPHA)
    _bars(axes, measured, length_s, top=0.0, height=0.40)


def _alt(planned: Sequence[Lane], measured: Sequence[Lane], longest_s: float) -> str:
    both = "planned and measured " if measured and planned else "measured " if measured else ""
    count = max(len(planned), len(measured))
    return f"Gantt chart of {count} {both}stages in visiting order, ending after {seconds_text(longest_s)}"


def _bars(
    axes: Axes,
    lanes: Sequence[Lane],
    length_s: float,
    *,
    top: float,
    height: float,
    alpha: float = 1.0,
) -> None:
    for kind in KINDS:
        found = [(k, span) for k, lane in enumerate(lanes) for span in lane.spans if span.kind == kind]
        if not found:
            continue
        waiting = kind == "waiting"
        axes.barh(
            [k + top for k, _ in found],
            [span.duration_s / length_s for _, span in found],
            left=[span.start_s / length_s for _, span in found],
            height=height,
            align="edge",
            color=_COLOURS[kind],
            alpha=alpha,
            edgecolor=MUTED if waiting else "none",
            hatch="////" if waiting else None,
            linewidth=0.4 if waiting else 0,
            label=kind if alpha == 1.0 else None,
        )
