"""The search: incumbents and bounds over the solver's time."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from edgeplan.models.result import Incumbent
from edgeplan.report.figures.canvas import BLUE, VERMILLION, legend_above, paint
from edgeplan.report.units import second_scale

_LEAST_SPAN = 0.01


def search_svg(name: str, incumbents: Sequence[Incumbent], runtime_s: float) -> str:
    """Draw objective and bound as steps, up to the end of the solve."""
    length_s, unit = second_scale(runtime_s)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        objectives = [(step.runtime_s, step.objective) for step in incumbents if step.objective is not None]
        bounds = [(step.runtime_s, step.bound) for step in incumbents if step.bound is not None]
        _steps(axes, objectives, runtime_s, length_s, BLUE, "best objective")
        _steps(axes, bounds, runtime_s, length_s, VERMILLION, "proven bound")
        _widen(axes)
        axes.set_xlim(left=0)
        axes.set_xlabel(f"time since the solve began ({unit})")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
        axes.set_ylabel("objective")
        legend_above(figure, *axes.get_legend_handles_labels())

    return paint(name, f"Objective and bound over {len(incumbents)} steps of the search", 2.6, draw)


def _widen(axes: Axes) -> None:
    """Keep digits that nobody reads from filling the axis when objective and bound nearly agree."""
    low, high = axes.get_ylim()
    least = _LEAST_SPAN * max(abs(low), abs(high))
    if high - low < least:
        axes.set_ylim((low + high - least) / 2, (low + high + least) / 2)


def _steps(
    axes: Axes,
    points: list[tuple[float, float]],
    runtime_s: float,
    length_s: float,
    colour: str,
    label: str,
) -> None:
    if not points:
        return
    extended = [*points, (max(runtime_s, points[-1][0]), points[-1][1])]
    xs = [seconds / length_s for seconds, _ in extended]
    ys = [value for _, value in extended]
    axes.step(xs, ys, where="post", color=colour, label=label)
    axes.plot(xs[:-1], ys[:-1], "o", markersize=4, color=colour)
