"""The longest queues over the slots, each in its own budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from edgeplan.report.figures.canvas import PALETTE, label_text, legend_above, paint
from edgeplan.report.figures.schedule.latency import slot_axis
from edgeplan.report.schedule.bins import binned

MOST_POINTS = 400
_NAME_WIDTH = 28


def queues_svg(name: str, queues: Mapping[str, Sequence[float]]) -> str:
    """Draw queues, each in its own budget, over the slots."""
    num_slots = max(len(lengths) for lengths in queues.values())

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for k, (who, lengths) in enumerate(queues.items()):
            bins = binned(lengths, MOST_POINTS)
            xs, ys = [one.middle for one in bins], [one.last for one in bins]
            colour = PALETTE[k % len(PALETTE)]
            axes.plot(xs, ys, color=colour, linewidth=1.5, label=label_text(who, _NAME_WIDTH))
        axes.set_ylim(bottom=0)
        axes.set_ylabel("queue (budgets)")
        slot_axis(axes, num_slots)
        legend_above(figure, *axes.get_legend_handles_labels())

    return paint(name, f"The {len(queues)} longest queues over the slots, each in its own budget", 2.5, draw)
