"""What was learned: loss and accuracy over device iterations and over the bytes moved."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edgeplan.report.figures.canvas import BLUE, VERMILLION, count_axis, legend_above, paint
from edgeplan.report.run_document import Baseline, RunRound
from edgeplan.report.units import byte_scale, percent_text

_RUN = {"color": BLUE, "marker": "o", "markersize": 4}
_BASELINE = {"color": VERMILLION, "marker": "s", "markersize": 4, "linestyle": "--"}


def learning_svg(name: str, rounds: Sequence[RunRound]) -> str:
    """Draw loss and accuracy round by round."""

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        numbers = [entry.round for entry in rounds]
        _curve(left, numbers, [entry.loss for entry in rounds], _RUN, "run")
        _curve(right, numbers, [_percent(entry.accuracy) for entry in rounds], _RUN, "run")
        left.set_ylabel("loss")
        _accuracy_axis(right)
        for axes in (left, right):
            count_axis(axes, "round")

    last = percent_text(rounds[-1].accuracy)
    return paint(name, f"Loss and accuracy over {len(rounds)} rounds; accuracy at the end {last}", 2.7, draw)


def comparison_svg(name: str, label: str, rounds: Sequence[RunRound], baseline: Baseline) -> str:
    """Draw the accuracy of run and baseline over equal device iterations, and over bytes moved."""
    pairs = ((label, rounds, _RUN), (baseline.title, baseline.rounds, _BASELINE))

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharey=True)
        most = max((sum(_bytes(some)) for _, some, _ in pairs), default=0)
        size, unit = byte_scale(most)
        for text, some, style in pairs:
            accuracies = [_percent(entry.accuracy) for entry in some]
            _curve(left, _iterations(some, baseline.device_iterations), accuracies, style, text)
            moved = [total / size for total in accumulate(_bytes(some))]
            _curve(right, moved, accuracies, style, text)
        left.set_xlabel("device iterations" if baseline.device_iterations else "share of the training (%)")
        right.set_xlabel(f"bytes moved so far ({unit})")
        _accuracy_axis(left)
        legend_above(figure, *left.get_legend_handles_labels())

    ends = ", ".join(f"{text} {percent_text(some[-1].accuracy)}" for text, some, _ in pairs if some)
    return paint(name, f"Accuracy after equal device iterations and over bytes moved: {ends}", 3.0, draw)


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _bytes(rounds: Sequence[RunRound]) -> list[int]:
    return [entry.bytes_moved or 0 for entry in rounds]


def _iterations(rounds: Sequence[RunRound], total: float | None) -> list[float]:
    """Device iterations done after each round, as both sides end after the same number."""
    last = max((entry.round for entry in rounds), default=1) or 1
    return [entry.round / last * (total or 100.0) for entry in rounds]


def _curve(
    axes: Axes,
    xs: Sequence[float],
    ys: Sequence[float | None],
    style: dict[str, object],
    label: str,
) -> None:
    known = [(x, y) for x, y in zip(xs, ys, strict=True) if y is not None]
    if known:
        axes.plot(*zip(*known, strict=True), label=label, **style)  # type: ignore[arg-type]


def _accuracy_axis(axes: Axes) -> None:
    axes.set_ylabel("accuracy (%)")
    low, high = axes.get_ylim()
    axes.set_ylim(max(0.0, low), max(high, low + 1.0))
