"""Times of simulated rounds: how many are at most so long, and where the prediction and the deadline lie."""

from __future__ import annotations

import math
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edgeplan.models.simulated import Simulation
from edgeplan.report.figures.canvas import BLUE, MUTED, ORANGE, VERMILLION, legend_above, paint, save
from edgeplan.report.units import second_scale, seconds_text

_MARKED = (5, 50, 95, 99)
_HEIGHT_IN = 3.2


def round_times_svg(name: str, simulation: Simulation) -> str:
    """Draw the share of rounds over their time for the page."""
    alt = f"Share of {simulation.settings.rounds} simulated rounds over their time"
    return paint(name, alt, _HEIGHT_IN, lambda figure: _draw(figure, simulation))


def save_round_times(simulation: Simulation, path: Path, form: str) -> None:
    """Write the same as a file, ``svg`` or ``png``."""
    save(path, form, _HEIGHT_IN, lambda figure: _draw(figure, simulation))


def _draw(figure: Figure, simulation: Simulation) -> None:
    axes = figure.add_subplot()
    marks = [simulation.predicted.time_s, simulation.deadline_s]
    known = [seconds for seconds in (*simulation.quantiles_s, *marks) if seconds is not None]
    length_s, unit = second_scale(max(known, default=1.0))
    _curve(axes, simulation, length_s)
    for seconds, name, colour in zip(marks, ("predicted", "deadline"), (ORANGE, VERMILLION), strict=True):
        if seconds is not None:
            label = f"{name}, {seconds_text(seconds)}"
            axes.axvline(seconds / length_s, color=colour, label=label, linestyle="--")
    axes.set_ylim(0, 103)
    axes.set_xlabel(f"time of a round ({unit})")
    axes.set_ylabel("rounds that take no longer (%)")
    legend_above(figure, *axes.get_legend_handles_labels())


def _curve(axes: Axes, simulation: Simulation, length_s: float) -> None:
    xs = [math.nan if one is None else one / length_s for one in simulation.quantiles_s]
    label = f"{simulation.settings.rounds:,} simulated rounds"
    axes.plot(xs, range(len(xs)), color=BLUE, label=label)
    for share in _MARKED:
        seconds = simulation.quantiles_s[share]
        if seconds is not None:
            axes.plot(xs[share], share, "o", color=BLUE, markersize=4)
            text, below = f"{share} %: {seconds_text(seconds)}", -9 if share > 50 else 0
            axes.annotate(
                text,
                (xs[share], share),
                (7, below),
                textcoords="offset points",
                va="center",
                color=MUTED,
                fontsize=8,
            )
