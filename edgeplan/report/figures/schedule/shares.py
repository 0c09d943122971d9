"""One slot's links: share of the band and of the highest power that every sender takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edgeplan.report.figures.canvas import (
    GREEN,
    GRID,
    ORANGE,
    label_rows,
    label_text,
    legend_above,
    paint,
    rows_height_in,
)

_ROW_IN = 0.26


@dataclass(frozen=True, slots=True)
class LinkShare:
    """A link: who sends, its shares of band and power from 0 to 1, and both as text."""

    label: str
    is_uplink: bool
    band: float
    power: float
    band_text: str
    power_text: str
    begins_cluster: bool = False


def shares_svg(name: str, links: Sequence[LinkShare]) -> str:
    """Draw both shares of every link, hops and uplinks in the colours of the Gantt chart."""

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharey=True)
        _bars(left, links, [link.band for link in links], [link.band_text for link in links])
        _bars(right, links, [link.power for link in links], [link.power_text for link in links])
        left.set_title("share of the band")
        right.set_title("share of the highest power")
        label_rows(left, [label_text(link.label, 40) for link in links], _ROW_IN)
        right.tick_params(axis="y", length=0)
        right.spines["left"].set_visible(False)
        right.grid(visible=False, axis="y")
        legend_above(figure, *left.get_legend_handles_labels())

    alt = f"Shares of band and power of {len(links)} links in one slot"
    return paint(name, alt, rows_height_in(len(links), _ROW_IN, 1.15), draw)


def _bars(axes: Axes, links: Sequence[LinkShare], shares: Sequence[float], texts: Sequence[str]) -> None:
    for is_uplink, colour, label in ((False, GREEN, "hop"), (True, ORANGE, "uplink")):
        rows = [k for k, link in enumerate(links) if link.is_uplink is is_uplink]
        if rows:
            widths = [100 * shares[k] for k in rows]
            axes.barh(rows, widths, height=0.62, color=colour, linewidth=0, label=label)
    for k, text in enumerate(texts):
        axes.annotate(
            text, (100 * shares[k], k), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8
        )
        if links[k].begins_cluster and k:
            axes.axhline(k - 0.5, color=GRID, linewidth=0.8)
    axes.set_xlim(0, 122)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("%")
