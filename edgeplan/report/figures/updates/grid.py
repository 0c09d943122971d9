"""Who updates what: a row a device, a column a layer, the darker the more of its channels."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import ListedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from edgeplan.report.figures.canvas import (
    GRID,
    count_axis,
    label_rows,
    label_text,
    legend_above,
    paint,
    rows_height_in,
)
from edgeplan.report.units import counted, percent_text
from edgeplan.report.updates.updates import Alike, Updates

MOST_ROWS = 60
_ROW_IN = 0.3
_REACHED = "#e8eef4"
_DARK, _PALE = np.array([0.0, 0.27, 0.45]), np.array([0.62, 0.79, 0.92])


def grid_svg(name: str, updates: Updates) -> str:
    """Draw the grid of devices and layers."""
    rows = updates.alike[:MOST_ROWS]
    ratios = sorted({one.ratio for row in rows for one in row.plan.updates})
    cells = np.array([_cells(updates, row, ratios) for row in rows])
    shades = [_shade(k, len(ratios)) for k in range(len(ratios))]
    colours: list[str] = ["none", _REACHED, *shades]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        shown = ListedColormap(colours)
        axes.imshow(
            cells, aspect="auto", cmap=shown, vmin=-0.5, vmax=len(colours) - 0.5, interpolation="nearest"
        )
        label_rows(axes, [_label(row) for row in rows], _ROW_IN)
        axes.set_xticks(np.arange(cells.shape[1] + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(len(rows) + 1) - 0.5, minor=True)
        axes.grid(visible=False, axis="both")
        axes.grid(visible=True, which="minor", color=GRID, linewidth=0.4)
        axes.tick_params(which="minor", length=0)
        count_axis(axes, "layer, from input to output")
        handles = [Patch(facecolor=colours[1], edgecolor=GRID)]
        handles += [Patch(facecolor=colour, edgecolor=GRID) for colour in colours[2:]]
        texts = ["bias alone", *(f"{percent_text(ratio)} of the channels" for ratio in ratios)]
        legend_above(figure, handles, texts)

    num_layers = len(updates.problem.instance.layers)
    alt = f"which of {counted(num_layers, 'layer')} each device updates, and how much of its channels"
    return paint(name, alt, rows_height_in(len(rows), _ROW_IN, 1.2), draw)


def _cells(updates: Updates, row: Alike, ratios: list[float]) -> list[int]:
    """0: not reached; 1: the bias alone; from 2 on: the ratio."""
    instance, own = updates.problem.instance, {one.layer: one.ratio for one in row.plan.updates}
    first = len(instance.layers) - row.plan.depth
    return [
        2 + ratios.index(own[layer.name]) if layer.name in own else int(k >= first)
        for k, layer in enumerate(instance.layers)
    ]


def _shade(k: int, num: int) -> str:
    share = 1.0 if num == 1 else k / (num - 1)
    return to_hex(_PALE + share * (_DARK - _PALE))


def _label(row: Alike) -> str:
    name = label_text(row.name, 22)
    return name if row.count == 1 else f"{name} and {row.count - 1:,} more"
