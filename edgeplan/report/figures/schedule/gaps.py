"""How far every slot's decision may be from the best one for the queues that it met."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from edgeplan.models.result import OPTIMALITY_GAP
from edgeplan.report.figures.canvas import BLUE, GREEN, legend_above, paint
from edgeplan.report.figures.schedule.latency import slot_axis
from edgeplan.report.schedule.bins import binned
from edgeplan.report.units import percent_text

MOST_POINTS = 240


def gaps_svg(name: str, gaps: Sequence[float]) -> str:
    """Draw the gaps on a logarithmic axis; what is proven stands on the line of the tolerance."""
    bins = binned(gaps, MOST_POINTS)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        proven = [one.middle for one in bins if one.high <= OPTIMALITY_GAP]
        is_open = [(one.middle, one.high) for one in bins if one.high > OPTIMALITY_GAP]
        if is_open:
            axes.plot(*zip(*is_open, strict=True), "o", color=BLUE, markersize=3.5, label="open")
        if proven:
            heights = [OPTIMALITY_GAP] * len(proven)
            axes.plot(proven, heights, "s", color=GREEN, markersize=3.5, label="proven the best decision")
        axes.set_yscale("log")
        axes.set_ylim(OPTIMALITY_GAP / 2, max(1e-2, 3 * max(gaps)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent_text(value)))
        axes.set_ylabel("gap")
        slot_axis(axes, len(gaps))
        legend_above(figure, *axes.get_legend_handles_labels())

    alt = f"Gaps of {len(gaps)} slots on a logarithmic axis, at most {percent_text(max(gaps))}"
    return paint(name, alt, 2.1, draw)
