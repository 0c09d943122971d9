"""What is spent in the mean against every budget, the most loaded first."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from edgeplan.report.figures.canvas import (
    BLUE,
    INK,
    VERMILLION,
    label_rows,
    label_text,
    legend_above,
    paint,
    rows_height_in,
)
from edgeplan.report.schedule.horizon import Budget
from edgeplan.report.units import percent_text

_ROW_IN = 0.26
_TOLERANCE = 1e-9


def budgets_svg(name: str, budgets: Sequence[Budget], texts: Sequence[str]) -> str:
    """Draw the means as shares of the budgets, exceeded ones in the warning colour.

    Parameters
    ----------
    texts
        What stands beside each bar.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for exceeded, colour, label in ((False, BLUE, "kept"), (True, VERMILLION, "exceeded")):
            rows = [k for k, one in enumerate(budgets) if (one.share > 1 + _TOLERANCE) is exceeded]
            if rows:
                widths = [100 * budgets[k].share for k in rows]
                axes.barh(rows, widths, height=0.66, color=colour, linewidth=0, label=label)
        axes.axvline(100, color=INK, linewidth=1.2, label="budget")
        label_rows(axes, [label_text(one.name, 26) for one in budgets], _ROW_IN)
        axes.set_xlim(0, max(100.0, *(100 * one.share for one in budgets)) * 1.02)
        axes.set_xlabel("mean of a slot, share of the budget (%)")
        second = axes.secondary_yaxis("right")
        second.set_yticks(range(len(budgets)), labels=list(texts))
        second.tick_params(axis="y", length=0)
        second.spines["right"].set_visible(False)
        legend_above(figure, *axes.get_legend_handles_labels())

    worst = budgets[0]
    alt = f"{len(budgets)} budgets; the most loaded is {worst.name} with {percent_text(worst.share)}"
    return paint(name, alt, rows_height_in(len(budgets), _ROW_IN), draw)
