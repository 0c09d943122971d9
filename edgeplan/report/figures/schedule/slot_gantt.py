"""Gantt chart of one slot: each cluster's stages and links, micro-batch by micro-batch."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from edgeplan.report.figures.canvas import (
    BLUE,
    GREEN,
    GRID,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    SURFACE,
    label_rows,
    label_text,
    legend_above,
    paint,
    rows_height_in,
)
from edgeplan.report.schedule.slot_lanes import COMPUTING, HOP, KINDS, UPLINK, SlotLane
from edgeplan.report.units import second_scale, seconds_text

_COLOURS = dict(zip(KINDS, (MUTED, BLUE, GREEN, ORANGE, PURPLE, SKY), strict=True))
_ROW_IN = 0.34
_TOPS = {COMPUTING: (-0.38, 0.46), HOP: (0.10, 0.28), UPLINK: (0.10, 0.28)}
_WHOLE = (-0.26, 0.52)
_BOX = (Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY)
Box = tuple[float, float, float, float]


def slot_gantt_svg(name: str, lanes: Sequence[SlotLane], latency_s: float) -> str:
    """Draw the lanes of a slot; links stand below the stage that sends.

    Parameters
    ----------
    latency_s
        Of the slot, marked by a line.
    """
    length_s, unit = second_scale(latency_s)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for kind in KINDS:
            _draw_boxes(axes, list(_boxes(lanes, kind, length_s)), kind)
        for k, lane in enumerate(lanes):
            if lane.begins_cluster and k:
                axes.axhline(k - 0.5, color=GRID, linewidth=0.8)
        axes.axvline(latency_s / length_s, color=MUTED, linewidth=1.0, linestyle="--")
        label_rows(axes, [label_text(lane.label, 30) for lane in lanes], _ROW_IN)
        axes.set_xlim(0, max(latency_s / length_s * 1.01, 1e-9))
        axes.set_xlabel(f"time since the slot began ({unit})")
        legend_above(figure, *axes.get_legend_handles_labels())

    clusters = sum(lane.begins_cluster for lane in lanes)
    alt = f"Gantt chart of a slot of {clusters} clusters, ending after {seconds_text(latency_s)}"
    return paint(name, alt, rows_height_in(len(lanes), _ROW_IN), draw)


def _boxes(lanes: Sequence[SlotLane], kind: str, length_s: float) -> list[Box]:
    top, height = _TOPS.get(kind, _WHOLE)
    return [
        (span.start_s / length_s, k + top, span.duration_s / length_s, height)
        for k, lane in enumerate(lanes)
        for span in lane.spans
        if span.kind == kind and span.duration_s > 0
    ]


def _draw_boxes(axes: Axes, boxes: Sequence[Box], kind: str) -> None:
    """Draw all boxes of a kind as one path, which keeps the page small."""
    if not boxes:
        return
    corners, codes = list[tuple[float, float]](), list(_BOX) * len(boxes)
    for x, y, width, height in boxes:
        corners += [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
    colour = _COLOURS[kind]
    patch = PathPatch(Path(corners, codes), facecolor=colour, edgecolor=SURFACE, linewidth=0.5, label=kind)
    axes.add_patch(patch)
