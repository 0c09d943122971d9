"""Latency of the slots with its running mean; the slot that is shown in full is marked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edgeplan.report.figures.canvas import BLUE, INK, ORANGE, SKY, count_axis, legend_above, paint
from edgeplan.report.schedule.bins import Bin, binned
from edgeplan.report.units import second_scale, seconds_text

MOST_POINTS = 240


def latency_svg(name: str, latencies_s: Sequence[float], marked: int | None = None) -> str:
    """Draw the latency of every slot, or of bins of slots, and the mean up to it.

    Parameters
    ----------
    marked
        Index of the slot to mark.
    """
    length_s, unit = second_scale(max(latencies_s))
    values = [latency_s / length_s for latency_s in latencies_s]
    means = [total / count for count, total in enumerate(accumulate(values), start=1)]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        _slots(axes, binned(values, MOST_POINTS), len(values))
        running = binned(means, MOST_POINTS)
        axes.plot([one.middle for one in running], [one.last for one in running], color=ORANGE)
        axes.lines[-1].set_label("mean up to it")
        if marked is not None:
            _mark(axes, marked, values[marked])
        axes.set_ylim(0, 1.08 * max(*values, 1e-12))
        axes.set_ylabel(f"latency ({unit})")
        slot_axis(axes, len(values))
        legend_above(figure, *axes.get_legend_handles_labels())

    alt = f"Latency of {len(latencies_s)} slots, {seconds_text(means[-1] * length_s)} in the mean"
    return paint(name, alt, 2.5, draw)


def _slots(axes: Axes, bins: Sequence[Bin], num_slots: int) -> None:
    xs = [one.middle for one in bins]
    if len(bins) == num_slots:
        axes.plot(xs, [one.mean for one in bins], ".", color=SKY, markersize=5, label="a slot")
        return
    lows, highs = [one.low for one in bins], [one.high for one in bins]
    axes.fill_between(xs, lows, highs, color=SKY, alpha=0.35, linewidth=0, label="least to largest")
    axes.plot(xs, [one.mean for one in bins], color=BLUE, linewidth=1.0, label="mean of some slots together")


def _mark(axes: Axes, marked: int, value: float) -> None:
    label = f"slot {marked + 1:,}, of median latency"
    axes.plot([marked + 1], [value], "o", markersize=9, color=INK, fillstyle="none", label=label)


def slot_axis(axes: Axes, num_slots: int) -> None:
    """Number the slots from 1, in whole steps."""
    count_axis(axes, "slot")
    margin = 0.5 + 0.005 * num_slots
    axes.set_xlim(1 - margin, num_slots + margin)
