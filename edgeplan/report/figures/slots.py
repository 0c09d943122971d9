"""Slots: their latency with its running mean, and the longest queues over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edgeplan.report.figures.canvas import BLUE, PALETTE, SKY, VERMILLION, count_axis, legend_above, paint
from edgeplan.report.units import second_scale, seconds_text, shortened

_MOST_POINTS = 2_000
_NAME_WIDTH = 28


def latency_svg(name: str, latencies_s: Sequence[float]) -> str:
    """Draw the latency of every slot and the mean up to it."""
    length_s, unit = second_scale(max(latencies_s))
    means_s = [total / count for count, total in enumerate(accumulate(latencies_s), start=1)]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        numbers = _shown(len(latencies_s))
        values = [latencies_s[t] / length_s for t in numbers]
        axes.plot([t + 1 for t in numbers], values, ".", color=SKY, markersize=4, label="a slot")
        means = [means_s[t] / length_s for t in numbers]
        axes.plot([t + 1 for t in numbers], means, color=VERMILLION, label="mean up to it")
        axes.set_ylim(bottom=0)
        axes.set_ylabel(f"latency ({unit})")
        count_axis(axes, "slot")
        legend_above(figure, *axes.get_legend_handles_labels())

    alt = f"Latency of {len(latencies_s)} slots, {seconds_text(means_s[-1])} in the mean"
    return paint(name, alt, 2.4, draw)


def queues_svg(name: str, queues: Mapping[str, Sequence[float]]) -> str:
    """Draw queues, each in its own budget, over the slots."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for k, (who, lengths) in enumerate(queues.items()):
            _queue(axes, shortened(who, _NAME_WIDTH), lengths, PALETTE[k % len(PALETTE)])
        axes.set_ylim(bottom=0)
        axes.set_ylabel("queue (budgets)")
        count_axis(axes, "slot")
        legend_above(figure, *axes.get_legend_handles_labels())

    return paint(name, f"The {len(queues)} longest queues over the slots", 2.4, draw)


def _queue(axes: Axes, label: str, lengths: Sequence[float], colour: str = BLUE) -> None:
    numbers = _shown(len(lengths))
    axes.plot([t + 1 for t in numbers], [lengths[t] for t in numbers], color=colour, label=label)


def _shown(num_slots: int) -> range:
    """Slots that are drawn: all, or every few of very many."""
    return range(0, num_slots, max(1, -(-num_slots // _MOST_POINTS)))
