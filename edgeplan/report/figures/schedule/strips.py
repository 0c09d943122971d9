"""Rows of shaded cells: a value of every device or cluster over the slots, and over the blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from edgeplan.report.figures.canvas import (
    BLUE,
    GREEN,
    MUTED,
    SURFACE,
    count_axis,
    label_rows,
    label_text,
    legend_above,
    paint,
    rows_height_in,
)
from edgeplan.report.schedule.bins import binned

MOST_COLUMNS = 240
MOST_ROWS = 60
_ROW_IN = 0.22
_COLOURS = (BLUE, GREEN)
_QUARTERS = (0.25, 0.5, 0.75, 1.0)
_LEAST_SHADE = 0.2


@dataclass(frozen=True, slots=True)
class Panel:
    """Cells side by side: rows of equal length, each value from 0 to `most`, which is above 0."""

    title: str
    what: str
    rows: Sequence[Sequence[float]]
    most: float
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class Rows:
    """Names of the rows, and the indices of those that begin a group."""

    names: Sequence[str]
    beginnings: Sequence[int] = ()


def strips_svg(name: str, alt: str, rows: Rows, panels: Sequence[Panel], unit: str) -> str:
    """Draw the panels side by side; the legend tells the shades of the first, in its unit."""

    def draw(figure: Figure) -> None:
        ratios = [panel.width for panel in panels]
        grid = figure.subplots(1, len(panels), sharey=True, width_ratios=ratios, squeeze=False)
        for axes, panel, colour in zip(grid[0], panels, _COLOURS, strict=False):
            _cells(axes, panel, rows, colour)
        label_rows(grid[0][0], [label_text(text, 26) for text in rows.names], _ROW_IN)
        legend_above(figure, *_legend(panels[0].most, unit))

    return paint(name, alt, rows_height_in(len(rows.names), _ROW_IN, 1.15), draw)


def _cells(axes: Axes, panel: Panel, rows: Rows, colour: str) -> None:
    values = [[_shade(value / panel.most) for value in _thinned(row)] for row in panel.rows]
    pixels = np.empty((len(values), len(values[0]), 4))
    pixels[..., :3] = to_rgb(colour)
    pixels[..., 3] = values
    num_columns, num_rows = len(panel.rows[0]), len(panel.rows)
    extent = (0.5, num_columns + 0.5, num_rows - 0.5, -0.5)
    axes.imshow(pixels, aspect="auto", interpolation="none", extent=extent)
    axes.hlines(np.arange(num_rows - 1) + 0.5, 0.5, num_columns + 0.5, color=SURFACE, linewidth=1.5)
    for k in rows.beginnings:
        axes.axhline(k - 0.5, color=MUTED, linewidth=0.8)
    axes.set_title(panel.title)
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    count_axis(axes, panel.what)
    axes.set_xlim(0.5, num_columns + 0.5)


def _shade(share: float) -> float:
    """Opacity of a share of the most; the least that is more than nothing can still be told from it."""
    return min(1.0, _LEAST_SHADE + (1 - _LEAST_SHADE) * share) if share > 0 else 0.0


def _thinned(values: Sequence[float]) -> list[float]:
    return [one.mean for one in binned(values, MOST_COLUMNS)]


def _legend(most: float, unit: str) -> tuple[list[Patch], list[str]]:
    """Shades of whole values."""
    values = sorted({1, *(max(1, round(share * most)) for share in _QUARTERS)})
    patches = [Patch(facecolor=BLUE, alpha=_shade(value / most), linewidth=0) for value in values]
    nothing = Patch(facecolor="none", edgecolor=MUTED, linewidth=0.6)
    return [nothing, *patches], [f"0 {unit}", *(str(value) for value in values)]
