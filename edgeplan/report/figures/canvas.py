"""How every figure is drawn: one style, themed colours, SVG that can stand inline.

Ink, grid and surface are drawn in marker colours that turn into CSS variables, so that the page's
theme reaches into the figure. Ids get the figure's name in front, so that figures do not clash.
"""

from __future__ import annotations

import html
import re
import warnings
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path

from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from edgeplan.report.units import shortened

INK, MUTED, GRID, SURFACE = "#101112", "#707172", "#d0d1d2", "#fdfcfb"
_VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--grid", SURFACE: "--surface"}

# Okabe and Ito's palette, https://jfly.uni-koeln.de/color/, with grey for its black, without its yellow,
# which vanishes on white.
BLUE, ORANGE, GREEN = "#0072b2", "#e69f00", "#009e73"
PURPLE, SKY, VERMILLION = "#cc79a7", "#56b4e9", "#d55e00"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, MUTED)

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "edgeplan",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "hatch.color": SURFACE,
    "hatch.linewidth": 1.2,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
}
_POINTS_PER_INCH = 72
_DOTS_PER_INCH = 150  # of what is rasterised
PAGE_WIDTH_IN = 10.45


def paint(name: str, alt: str, height_in: float, draw: Callable[[Figure], None]) -> str:
    """Draw a figure and return it as inline SVG.

    Parameters
    ----------
    name
        Unique on the page; letters, digits and hyphens.
    alt
        What the figure shows, for readers who cannot see it.
    height_in
        Height in inches; the width is the page's.
    draw
        Draws on the empty figure that it is given.
    """
    with rc_context(_STYLE), warnings.catch_warnings():  # type: ignore[arg-type]
        # The browser has glyphs that matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(PAGE_WIDTH_IN, height_in), layout="constrained")
        draw(figure)
        text = StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None}, dpi=_DOTS_PER_INCH)
    return _inline(text.getvalue(), name, alt)


def save(path: Path, form: str, height_in: float, draw: Callable[[Figure], None]) -> None:
    """Write a figure to a file of its own, on white.

    Parameters
    ----------
    path
        The file.
    form
        ``svg`` or ``png``.
    height_in
        Height in inches; the width is the page's.
    draw
        Draws on the empty figure that it is given.
    """
    with rc_context(_STYLE), warnings.catch_warnings():  # type: ignore[arg-type]
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(PAGE_WIDTH_IN, height_in), layout="constrained")
        draw(figure)
        dated = {"Date": None} if form == "svg" else {}
        figure.savefig(path, format=form, metadata=dated, facecolor="white", dpi=_DOTS_PER_INCH)


def _inline(svg: str, name: str, alt: str) -> str:
    """Keep the drawing alone: no prologue, no metadata, no namespaces, ids of its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    head_end = svg.index(">")
    view = re.search(r'viewBox="([^"]+)"', svg[:head_end])
    assert view is not None
    width_px = float(view[1].split()[2]) * 96 / _POINTS_PER_INCH
    head = (
        f'<svg class="figure" role="img" aria-label="{html.escape(alt)}" viewBox="{view[1]}" '
        f'style="max-width: {width_px:.0f}px"'
    )
    return head + _own_ids(_themed(svg[head_end:]), name)


def _themed(body: str) -> str:
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    return body


_DEFINED = re.compile(r'(<[^>]*?\bid=")([^"]+)(")')
_USED = re.compile(r'((?:xlink:)?href="#|url\(#)')


def _own_ids(body: str, name: str) -> str:
    body = _DEFINED.sub(rf"\g<1>{name}-\g<2>\g<3>", body)
    body = _USED.sub(lambda found: found[1].replace("xlink:", "") + f"{name}-", body)
    return body.replace("xlink:href=", "href=")


def label_text(text: str, limit: int) -> str:
    """Make a label of a name: in one line, printable, cut in the middle."""
    return shortened("".join(char if char.isprintable() else "·" for char in text), limit)


MAX_ROWS = 400
_MAX_ROWS_IN = 9.0
_LABEL_IN = 0.15


def rows_height_in(num_rows: int, row_in: float, extra_in: float = 1.0) -> float:
    """Height of a figure with a row per stage: rows shrink where there are many."""
    return min(num_rows * row_in, max(_MAX_ROWS_IN, num_rows * 0.03)) + extra_in


def label_rows(axes: Axes, labels: list[str], row_in: float) -> None:
    """Name the rows from the top, leaving out names where rows are thinner than text."""
    rows_in = rows_height_in(len(labels), row_in, 0.0)
    step = max(1, round(_LABEL_IN * len(labels) / rows_in + 0.49)) if rows_in < len(labels) * _LABEL_IN else 1
    axes.set_yticks(range(0, len(labels), step), labels=labels[::step])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def count_axis(axes: Axes, label: str) -> None:
    """Number the x axis in whole steps."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12))
    axes.set_xlabel(label)


_LETTER_PT, _HANDLE_PT = 5.0, 30.0


def legend_above(figure: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    """Set the legend above the axes, in as many columns as fit the page's width."""
    if not labels:
        return
    widest_pt = max(len(text) for text in labels) * _LETTER_PT + _HANDLE_PT
    fitting = int(PAGE_WIDTH_IN * _POINTS_PER_INCH // widest_pt)
    whole_pt = sum(len(text) * _LETTER_PT + _HANDLE_PT for text in labels)
    columns = len(labels) if whole_pt < PAGE_WIDTH_IN * _POINTS_PER_INCH else max(1, fitting)
    figure.legend(handles, labels, loc="outside upper left", ncols=columns, handlelength=1.4)
