"""Memory of every stage as a share of its node's budget, stacked by what it is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edgeplan.report.figures.canvas import (
    BLUE,
    GREEN,
    INK,
    MAX_ROWS,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    SURFACE,
    VERMILLION,
    label_rows,
    label_text,
    legend_above,
    paint,
    rows_height_in,
)
from edgeplan.report.units import bytes_text, percent_text

_ROW_IN = 0.34
_COLOURS = {
    "reserve": MUTED,
    "frozen weights": SKY,
    "trained weights": BLUE,
    "weights": BLUE,
    "gradients": GREEN,
    "optimizer state": PURPLE,
    "activations": ORANGE,
    "buffers": SKY,
    "memory": BLUE,
}


@dataclass(frozen=True, slots=True)
class MemoryBar:
    """Memory of one stage, in bytes; `parts` by kind, empty where only the sum is known."""

    node: str
    need_bytes: float
    budget_bytes: float
    parts: dict[str, float] = field(default_factory=dict)
    measured_bytes: float | None = None

    @property
    def share(self) -> float:
        """Need as a share of the budget."""
        return self.need_bytes / max(self.budget_bytes, 1)


def memory_svg(name: str, bars: Sequence[MemoryBar]) -> str:
    """Draw need against budget of every stage, each scaled to its own node's budget."""
    bars = bars[:MAX_ROWS]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for kind in _COLOURS:
            _stack(axes, bars, kind)
        _measured(axes, bars)
        axes.axvline(100, color=VERMILLION, linewidth=1.6, label="budget")
        labels = [f"{k}  {label_text(bar.node, 26)}" for k, bar in enumerate(bars, start=1)]
        label_rows(axes, labels, _ROW_IN)
        _amounts(axes, bars)
        axes.set_xlim(0, max(100.0, *(100 * _extent(bar) for bar in bars)) * 1.005)
        axes.set_xlabel("memory, share of the node's budget (%)")
        legend_above(figure, *axes.get_legend_handles_labels())

    worst = max(bars, key=lambda bar: bar.share)
    alt = (
        f"Memory of {len(bars)} stages against their nodes' budgets; the fullest is {worst.node} "
        f"with {percent_text(worst.share)}"
    )
    return paint(name, alt, rows_height_in(len(bars), _ROW_IN), draw)


def _extent(bar: MemoryBar) -> float:
    return max(bar.need_bytes, bar.measured_bytes or 0.0) / max(bar.budget_bytes, 1)


def _stack(axes: Axes, bars: Sequence[MemoryBar], kind: str) -> None:
    """Draw one kind of all bars, after the kinds before it."""
    order = list(_COLOURS)
    lefts, widths = [], []
    for bar in bars:
        parts = bar.parts or {"memory": bar.need_bytes}
        before = sum(parts.get(other, 0.0) for other in order[: order.index(kind)])
        lefts.append(100 * before / max(bar.budget_bytes, 1))
        widths.append(100 * parts.get(kind, 0.0) / max(bar.budget_bytes, 1))
    if any(widths):
        rows = range(len(bars))
        drawn = axes.barh(rows, widths, left=lefts, height=0.66, color=_COLOURS[kind], label=kind, lw=0)
        for bar in drawn if kind == "reserve" else ():
            bar.set(hatch="////", edgecolor=SURFACE)


def _measured(axes: Axes, bars: Sequence[MemoryBar]) -> None:
    found = [
        (100 * bar.measured_bytes / max(bar.budget_bytes, 1), k)
        for k, bar in enumerate(bars)
        if bar.measured_bytes is not None
    ]
    if found:
        xs, ys = zip(*found, strict=True)
        axes.scatter(xs, ys, marker="D", s=26, color=INK, edgecolors=SURFACE, zorder=5, label="measured peak")


def _amounts(axes: Axes, bars: Sequence[MemoryBar]) -> None:
    """Write need and budget at the right of every row that has room for text."""
    step = max(1, len(axes.get_yticks()) and round(len(bars) / len(axes.get_yticks())))
    second = axes.secondary_yaxis("right")
    texts = [f"{bytes_text(bar.need_bytes)} of {bytes_text(bar.budget_bytes)}" for bar in bars]
    second.set_yticks(range(0, len(bars), step), labels=texts[::step])
    second.tick_params(axis="y", length=0)
    second.spines["right"].set_visible(False)
