"""A sweep over V: late latency beside its bounds, its distance to the best of them, and late queues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from edgeplan.models.segment_scheduling.sweep import SweepPoint
from edgeplan.report.figures.canvas import (
    BLUE,
    GREEN,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    SURFACE,
    legend_above,
    paint,
)
from edgeplan.report.schedule.trade_off import Place, TradeOff, is_settled
from edgeplan.report.units import second_scale, three_digits

_NARROW = 200.0  # a range of values below which an axis needs ticks between powers of ten


def sweep_svg(name: str, trade_off: TradeOff) -> str:
    """Draw the points over V; hollow ones are not stationary."""
    points = trade_off.points
    length_s, unit = second_scale(max(point.late_latency_s for point in points))
    late, run = (
        [(tradeoff, excess_s / length_s) for tradeoff, excess_s in places]
        for places in (trade_off.excesses, trade_off.run_excesses)
    )

    def draw(figure: Figure) -> None:
        left, middle, right = figure.subplots(1, 3)
        _latency(left, trade_off, length_s)
        left.set_title(f"latency ({unit})")
        _powers(middle, {BLUE: late, SKY: run}, points, -1)
        middle.set_title(f"latency above its bound ({unit})")
        _powers(right, {ORANGE: trade_off.queues}, points, 1)
        right.set_title("late queues together (budgets)")
        for axes in (left, middle, right):
            _tradeoff_axis(axes, points)
        handles, labels = left.get_legend_handles_labels()
        guide = Line2D([], [], color=MUTED, linestyle="--", linewidth=1.0)
        legend_above(figure, [*handles, guide], [*labels, "1/V, V"])

    alt = f"Late latency, its distance to the bound, and late queues of {len(points)} trade-offs"
    return paint(name, alt, 3.3, draw)


def _latency(axes: Axes, trade_off: TradeOff, length_s: float) -> None:
    points, bound_s = trade_off.points, trade_off.best_bound_s or 0.0
    xs = [point.tradeoff for point in points]
    means = [point.mean_latency_s / length_s for point in points]
    _curve(axes, list(zip(xs, means, strict=True)), points, SKY, "mean of all slots")
    late = [(point.tradeoff, point.late_latency_s / length_s) for point in points]
    _curve(axes, late, points, BLUE, "of the second half")
    _bound(axes, [(x, bound_s / length_s) for x in xs], GREEN, "bound of the second half")
    run = [(point.tradeoff, point.run_bound_s / length_s) for point in points]
    _bound(axes, run, PURPLE, "bound of the run, with its queues")
    axes.set_ylim(bottom=0)


def _bound(axes: Axes, places: Sequence[Place], colour: str, label: str) -> None:
    """Draw a bound where it says more than that time is not negative."""
    telling = [(x, y) for x, y in places if y > 0]
    if telling:
        xs, ys = zip(*telling, strict=True)
        axes.plot(xs, ys, color=colour, linestyle="--", marker="_", linewidth=1.3, label=label)


def _curve(
    axes: Axes, places: Sequence[Place], points: Sequence[SweepPoint], colour: str, label: str | None = None
) -> None:
    """Draw a line with filled marks where the run is stationary, hollow ones elsewhere."""
    settled = {point.tradeoff for point in points if is_settled(point)}
    axes.plot(*zip(*places, strict=True), color=colour, label=label, zorder=3)
    for fill, wanted in ((colour, True), (SURFACE, False)):
        some = [(x, y) for x, y in places if (x in settled) is wanted]
        if some:
            xs, ys = zip(*some, strict=True)
            axes.plot(xs, ys, "o", markersize=5.5, color=colour, markerfacecolor=fill, zorder=4)


def _powers(
    axes: Axes, curves: Mapping[str, Sequence[Place]], points: Sequence[SweepPoint], exponent: int
) -> None:
    """Draw positive values on two logarithmic axes, and beside the longest curve the power of theory."""
    values = [y for places in curves.values() for _, y in places]
    if not values:
        axes.annotate("nothing above 0", (0.5, 0.5), xycoords="axes fraction", ha="center", color=MUTED)
        axes.set_yticks([])
        return
    for colour, places in curves.items():
        if places:
            _curve(axes, places, points, colour)
    _guide(axes, max(curves.values(), key=len), exponent)
    low, high = min(values) / 1.6, max(values) * 1.6
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    _log_ticks(axes.yaxis, high / low)


def _guide(axes: Axes, places: Sequence[Place], exponent: int) -> None:
    """Draw the power of theory through the point of least V where it falls, of most where it grows."""
    at, value = places[0] if exponent < 0 else places[-1]
    ends = [places[0][0], places[-1][0]]
    heights = [value * (x / at) ** exponent for x in ends]
    axes.plot(ends, heights, color=MUTED, linestyle="--", linewidth=1.0)


def _tradeoff_axis(axes: Axes, points: Sequence[SweepPoint]) -> None:
    first, last = points[0].tradeoff, points[-1].tradeoff
    axes.set_xscale("log")
    axes.set_xlim(first / 1.3, last * 1.3)
    _log_ticks(axes.xaxis, last / first)
    axes.set_xlabel("price of time V (1/s)")


def _log_ticks(axis: Axis, spread: float) -> None:
    steps = (1.0, 2.0, 5.0) if spread < _NARROW else (1.0,)
    axis.set_major_locator(LogLocator(subs=steps, numticks=9))
    axis.set_major_formatter(FuncFormatter(lambda value, _: three_digits(value)))
    axis.set_minor_formatter(NullFormatter())
