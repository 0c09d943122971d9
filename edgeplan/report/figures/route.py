"""The round as a route: nodes in visiting order along a snake, with what moves over every hop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from edgeplan.report.figures.canvas import (
    MAX_ROWS,
    MUTED,
    ORANGE,
    PALETTE,
    SURFACE,
    label_text,
    legend_above,
    paint,
)
from edgeplan.report.figures.snake_grid import Place, SnakeGrid
from edgeplan.report.units import bytes_text, seconds_text

_ORDER_LINE: tuple[float, tuple[int, int]] = (0, (3, 2))


@dataclass(frozen=True, slots=True)
class Stop:
    """One visit: the node, lines about it, and the transfer that brings it up to date."""

    node: str
    node_type: str
    lines: tuple[str, ...]
    bytes_in: int
    transfer_in_s: float

    @property
    def hop_texts(self) -> tuple[str, str]:
        """Bytes and time of that transfer."""
        return bytes_text(self.bytes_in), seconds_text(self.transfer_in_s)


def route_svg(name: str, stops: Sequence[Stop], *, server: str | None, is_pipeline: bool = False) -> str:
    """Draw the route; with a server every stop exchanges with it, else each hands on to the next.

    A pipeline ends at its last stage; in a round the last one hands on to the first.
    """
    stops = stops[:MAX_ROWS]
    grid = SnakeGrid.of(len(stops))
    types = list(dict.fromkeys(stop.node_type for stop in stops))
    colours = {kind: PALETTE[min(k, len(PALETTE) - 1)] for k, kind in enumerate(types)}

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.set_axis_off()
        axes.set_aspect("equal")
        axes.set_xlim(*grid.x_limits)
        axes.set_ylim(*grid.y_limits)
        _draw_hops(axes, stops, grid, peer=server is None, closes=not is_pipeline)
        for k, stop in enumerate(stops):
            draw_stop = _draw_card if grid.has_cards else _draw_dot
            draw_stop(axes, k, stop, grid, colours[stop.node_type])
        moved = "activations and gradients" if is_pipeline else "parameters handed on"
        _legend(figure, colours, server, moved if len(stops) > 1 else None)

    through = f", everything through server {server}" if server else ""
    alt = f"Route of the round over {len(stops)} nodes{through}: " + " to ".join(s.node for s in stops[:20])
    return paint(name, alt, grid.height_in, draw)


def _draw_dot(axes: Axes, k: int, stop: Stop, grid: SnakeGrid, colour: str) -> None:
    x, y = grid.place(k)
    axes.plot([x], [y], "o", markersize=14, color=SURFACE, markeredgecolor=colour, markeredgewidth=1.8)
    axes.text(x, y, str(k + 1), ha="center", va="center", fontsize=6.5)


def _draw_card(axes: Axes, k: int, stop: Stop, grid: SnakeGrid, colour: str) -> None:
    x, y = grid.place(k)
    corner = (x - grid.half_width, y - grid.half_height)
    box = FancyBboxPatch(
        corner,
        2 * grid.half_width,
        2 * grid.half_height,
        boxstyle="round,pad=0,rounding_size=0.12",
        facecolor=SURFACE,
        edgecolor=colour,
        linewidth=2,
        zorder=3,
    )
    axes.add_patch(box)
    texts = (f"{k + 1}  {label_text(stop.node, 17)}", *stop.lines)
    for line, text in enumerate(texts):
        at = y + (len(texts) - 1) * 0.12 - 0.24 * line
        weight, size = ("bold", 8.5) if line == 0 else ("normal", 7.5)
        axes.text(x, at, text, ha="center", va="center", fontsize=size, fontweight=weight, zorder=4)


def _draw_hops(axes: Axes, stops: Sequence[Stop], grid: SnakeGrid, *, peer: bool, closes: bool) -> None:
    """Draw an arrow to every stop but the first; without a server also what moves, and the way back."""
    slowest_s = max((stop.transfer_in_s for stop in stops), default=0.0)
    thickest = 3.5 if grid.has_cards else 1.5
    for k, stop in enumerate(stops):
        share = stop.transfer_in_s / slowest_s if slowest_s > 0 and peer else 0.0
        width = 0.8 + (thickest - 0.8) * share
        if k > 0:
            start, end = grid.hop(k)
            _arrow(axes, start, end, width, peer=peer)
            if peer and grid.has_cards:
                _hop_label(axes, start, end, stop)
        elif peer and closes and len(stops) > 1:
            _draw_return(axes, grid, stop, width)


def _arrow(axes: Axes, start: Place, end: Place, width: float, *, peer: bool) -> None:
    arrow = FancyArrowPatch(
        start,
        end,
        arrowstyle="-|>",
        mutation_scale=9 + 2 * width,
        color=ORANGE if peer else MUTED,
        linewidth=width,
        linestyle="-" if peer else _ORDER_LINE,
        shrinkA=0,
        shrinkB=0,
        zorder=2,
    )
    axes.add_patch(arrow)


def _hop_label(axes: Axes, start: Place, end: Place, stop: Stop) -> None:
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    amount, duration = stop.hop_texts
    if start[1] == end[1]:
        axes.text(x, y + 0.1, amount, ha="center", va="bottom", fontsize=7.5)
        axes.text(x, y - 0.1, duration, ha="center", va="top", fontsize=7.5, color=MUTED)
    else:
        axes.text(x + 0.16, y, f"{amount} · {duration}", ha="left", va="center", fontsize=7.5)


def _draw_return(axes: Axes, grid: SnakeGrid, first: Stop, width: float) -> None:
    """Close the cycle: below the last row, up a lane at the left, into the first stop."""
    xs, ys = zip(*grid.way_back, strict=True)
    axes.add_line(Line2D(xs[:-1], ys[:-1], color=ORANGE, linewidth=width, zorder=2))
    _arrow(axes, grid.way_back[-2], grid.way_back[-1], width, peer=True)
    text = "back to the first: " + " · ".join(first.hop_texts)
    axes.text(grid.way_back[2][0], ys[1] - 0.09, text, ha="left", va="top", fontsize=7.5)


def _legend(figure: Figure, colours: dict[str, str], server: str | None, moved: str | None) -> None:
    shown = list(colours.items())[: len(PALETTE)]
    handles = [
        Line2D([], [], marker="s", linestyle="", color=SURFACE, markeredgecolor=colour, markeredgewidth=2)
        for _, colour in shown
    ]
    labels = [label_text(kind, 22) for kind, _ in shown]
    if server is None and moved:
        handles.append(Line2D([], [], color=ORANGE, linewidth=2.5))
        labels.append(f"{moved} (wider is slower)")
    elif server is not None:
        handles.append(Line2D([], [], color=MUTED, linewidth=1, linestyle=_ORDER_LINE))
        labels.append(f"order of the visits; all parameters travel through {label_text(server, 26)}")
    legend_above(figure, handles, labels)
