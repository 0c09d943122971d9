"""Time of every round: measured columns against the predicted line."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from edgeplan.report.figures.canvas import BLUE, VERMILLION, count_axis, legend_above, paint
from edgeplan.report.run_document import RunRound
from edgeplan.report.units import second_scale, seconds_text


def rounds_svg(name: str, rounds: Sequence[RunRound], predicted_s: float | None) -> str:
    """Draw the measured time of every round and the time that the plan predicts."""
    timed = [(entry.round, entry.time_s) for entry in rounds if entry.time_s is not None]
    longest_s = max(*(seconds for _, seconds in timed), predicted_s or 0.0)
    length_s, unit = second_scale(longest_s)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        numbers = [number for number, _ in timed]
        heights = [seconds / length_s for _, seconds in timed]
        axes.bar(numbers, heights, width=0.72, color=BLUE, label="measured")
        if predicted_s is not None:
            axes.axhline(predicted_s / length_s, color=VERMILLION, linestyle="--", label="predicted")
        axes.grid(visible=False, axis="x")
        axes.set_xlim(min(numbers) - 0.8, max(numbers) + 0.8)
        axes.set_ylim(0, longest_s / length_s * 1.08 or 1.0)
        axes.set_ylabel(f"time of the round ({unit})")
        count_axis(axes, "round")
        legend_above(figure, *axes.get_legend_handles_labels())

    alt = f"Measured time of {len(timed)} rounds; predicted {seconds_text(predicted_s)}"
    return paint(name, alt, 2.4, draw)
