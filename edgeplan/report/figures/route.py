"""The round as a route: nodes in visiting order along a snake, with what moves over every hop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from edgeplan.report.figures.canvas import (
    INK,
    MAX_ROWS,
    MUTED,
    ORANGE,
    PALETTE,
    SURFACE,
    label_text,
    paint,
)
from edgeplan.report.units import bytes_text, seconds_text

_CARDS = 40
_PER_ROW, _DOTS_PER_ROW = 5, 20
_WIDE, _HIGH = 1.66, 0.92
_PITCH_X, _PITCH_Y = 2.62, 1.55


@dataclass(frozen=True, slots=True)
class Stop:
    """One visit: the node, two lines about it, and the hop that leads to it (None: nothing moves)."""

    node: str
    node_type: str
    lines: tuple[str, ...]
    bytes_in: int
    transfer_in_s: float


@dataclass(frozen=True)
class _Grid:
    """Where the stops stand: rows that run to and fro."""

    num_stops: int
    per_row: int
    pitch_x: float
    pitch_y: float

    @classmethod
    def of(cls, num_stops: int) -> _Grid:
        if num_stops > _CARDS:
            return cls(num_stops, _DOTS_PER_ROW, 0.66, 0.8)
        rows = math.ceil(num_stops / _PER_ROW)
        return cls(num_stops, math.ceil(num_stops / rows), _PITCH_X, _PITCH_Y)

    @property
    def num_rows(self) -> int:
        return math.ceil(self.num_stops / self.per_row)

    def place(self, k: int) -> tuple[float, float]:
        row, column = divmod(k, self.per_row)
        return (column if row % 2 == 0 else self.per_row - 1 - column) * self.pitch_x, -row * self.pitch_y


def route_svg(name: str, stops: Sequence[Stop], *, server: str | None) -> str:
    """Draw the route; with a server every stop exchanges with it, else each hands on to the next."""
    stops = stops[:MAX_ROWS]
    grid = _Grid.of(len(stops))
    types = list(dict.fromkeys(stop.node_type for stop in stops))
    colours = {kind: PALETTE[min(k, len(PALETTE) - 1)] for k, kind in enumerate(types)}

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.set_axis_off()
        axes.set_aspect("equal")
        _draw_hops(axes, stops, grid, peer=server is None)
        for k, stop in enumerate(stops):
            _draw_stop(axes, k, stop, grid, colours[stop.node_type])
        _legend(figure, colours, server)
        _frame(axes, grid)

    height_in = min(1.0 + grid.num_rows * (1.2 if len(stops) <= _CARDS else 0.62), 22.0)
    through = f", everything through server {server}" if server else ""
    alt = f"Route of the round over {len(stops)} nodes{through}: " + " to ".join(s.node for s in stops[:20])
    return paint(name, alt, height_in, draw)


def _frame(axes: Axes, grid: _Grid) -> None:
    full = _Grid.of(min(grid.num_stops, _CARDS))
    columns = max(grid.per_row, _PER_ROW) if grid.num_stops <= _CARDS else grid.per_row
    left = -_WIDE / 2 - 0.75 if grid.pitch_x == full.pitch_x else -0.9
    axes.set_xlim(left, (columns - 1) * grid.pitch_x + (-left - 0.6))
    axes.set_ylim(-(grid.num_rows - 1) * grid.pitch_y - 1.0, 0.62)


def _draw_stop(axes: Axes, k: int, stop: Stop, grid: _Grid, colour: str) -> None:
    x, y = grid.place(k)
    if grid.num_stops > _CARDS:
        axes.plot([x], [y], "o", markersize=13, color=SURFACE, markeredgecolor=colour, markeredgewidth=2)
        axes.text(x, y, str(k + 1), ha="center", va="center", fontsize=6)
        return
    box = FancyBboxPatch(
        (x - _WIDE / 2, y - _HIGH / 2),
        _WIDE,
        _HIGH,
        boxstyle="round,pad=0,rounding_size=0.12",
        facecolor=SURFACE,
        edgecolor=colour,
        linewidth=2,
        zorder=3,
    )
    axes.add_patch(box)
    texts = (f"{k + 1}  {label_text(stop.node, 16)}", *stop.lines)
    for line, text in enumerate(texts):
        at = y + (len(texts) - 1) * 0.12 - 0.24 * line
        weight, size = ("bold", 8.5) if line == 0 else ("normal", 7.3)
        axes.text(x, at, text, ha="center", va="center", fontsize=size, fontweight=weight, zorder=4)


def _draw_hops(axes: Axes, stops: Sequence[Stop], grid: _Grid, *, peer: bool) -> None:
    slowest_s = max((stop.transfer_in_s for stop in stops), default=0.0)
    for k in range(1, len(stops)):
        share = stops[k].transfer_in_s / slowest_s if slowest_s > 0 else 0.0
        _draw_hop(axes, grid, k, stops[k] if peer else None, 1.0 + 3.0 * share if peer else 1.0)
    if peer and len(stops) > 1:
        share = stops[0].transfer_in_s / slowest_s if slowest_s > 0 else 0.0
        _draw_return(axes, grid, stops[0], 1.0 + 3.0 * share)


def _hop_text(stop: Stop) -> str:
    return f"{bytes_text(stop.bytes_in)}\n{seconds_text(stop.transfer_in_s)}"


def _draw_hop(axes: Axes, grid: _Grid, k: int, stop: Stop | None, width: float) -> None:
    """Draw the arrow that leads to stop `k`; without a stop it only shows the order."""
    (x0, y0), (x1, y1) = grid.place(k - 1), grid.place(k)
    cards = grid.num_stops <= _CARDS
    dx, dy = (_WIDE / 2 + 0.06, _HIGH / 2 + 0.05) if cards else (0.21, 0.21)
    sx, sy = (x1 > x0) - (x1 < x0), (y1 > y0) - (y1 < y0)
    start, end = (x0 + sx * dx, y0 + sy * dy), (x1 - sx * dx, y1 - sy * dy)
    _arrow(axes, start, end, ORANGE if stop else MUTED, width if cards else min(width, 1.5))
    if stop is None or not cards:
        return
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    if sx:
        above, below = _hop_text(stop).split("\n")
        axes.text(middle[0], middle[1] + 0.1, above, ha="center", va="bottom", fontsize=7.5)
        axes.text(middle[0], middle[1] - 0.1, below, ha="center", va="top", fontsize=7.5, color=MUTED)
    else:
        text = "  ·  ".join(_hop_text(stop).split("\n"))
        axes.text(middle[0] + 0.16, middle[1], text, ha="left", va="center", fontsize=7.5)


def _arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, width: float
) -> None:
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=9 + 2 * width,
            color=colour,
            linewidth=width,
            linestyle="-" if colour != MUTED else (0, (3, 2)),
            shrinkA=0,
            shrinkB=0,
            zorder=2,
        )
    )


def _draw_return(axes: Axes, grid: _Grid, first: Stop, width: float) -> None:
    """Close the cycle: below the last row, up a lane at the left, into the first stop."""
    cards = grid.num_stops <= _CARDS
    dx, dy = (_WIDE / 2, _HIGH / 2) if cards else (0.2, 0.2)
    x, y = grid.place(grid.num_stops - 1)
    low = y - dy - (0.3 if cards else 0.16)
    lane = -dx - (0.52 if cards else 0.4)
    width = width if cards else min(width, 1.5)
    xs, ys = [x, x, lane, lane, -dx - 0.3], [y - dy, low, low, 0.0, 0.0]
    axes.add_line(Line2D(xs, ys, color=ORANGE, linewidth=width, solid_joinstyle="round", zorder=2))
    _arrow(axes, (lane, 0.0), (-dx - 0.05, 0.0), ORANGE, width)
    text = "back to the first:  " + "  ·  ".join(_hop_text(first).split("\n"))
    axes.text((x + lane) / 2 if grid.num_stops > 2 else lane, low - 0.08, text, ha="center" if grid.num_stops > 2 else "left", va="top", fontsize=7.5)


def _legend(figure: Figure, colours: dict[str, str], server: str | None) -> None:
    handles = [
        Line2D([], [], marker="s", linestyle="", markerfacecolor=SURFACE, markeredgecolor=colour)
        for colour in colours.values()
    ]
    for handle in handles:
        handle.set_markeredgewidth(2)
    labels = [label_text(kind, 22) for kind in colours]
    if server is None:
        handles.append(Line2D([], [], color=ORANGE, linewidth=3))
        labels.append("parameters handed on (wider is slower)")
    else:
        handles.append(Line2D([], [], color=MUTED, linestyle=(0, (3, 2))))
        labels.append("order of the visits")
    figure.legend(handles[:8], labels[:8], loc="outside upper left", ncols=4, labelcolor=INK)
