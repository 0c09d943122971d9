"""The nodes by speed and memory: which of them the plan uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from edgeplan.models.network import Node
from edgeplan.report.figures.canvas import MUTED, PALETTE, SURFACE, label_text, legend_above, paint
from edgeplan.report.units import byte_scale, decimal_scale, three_digits

_MARKERS = "osD^vPX"
_MAX_TYPES = len(_MARKERS)
_MAX_NUMBERS = 40
_MAX_VECTOR_POINTS = 2000
_WIDE_RANGE = 6.0


def nodes_svg(name: str, nodes: Sequence[Node], stage_of: dict[str, int]) -> str:
    """Draw every node by speed and memory; used ones are filled and carry their stage's number."""
    types = [kind for kind, _ in Counter(node.type for node in nodes).most_common()]
    speed, speed_unit = decimal_scale(max(node.flops_per_s for node in nodes))
    memory, memory_unit = byte_scale(max(node.memory_bytes for node in nodes))
    at = {node.id: (node.flops_per_s / speed, node.memory_bytes / memory) for node in nodes}

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for style, some in enumerate(_by_style(nodes, types)):
            _marks(axes, [at[node] for node in some if node not in stage_of], style, used=False)
            _marks(axes, [at[node] for node in some if node in stage_of], style, used=True)
        _numbers(axes, at, stage_of)
        _scale(axes.xaxis, [x for x, _ in at.values()], f"speed ({speed_unit}FLOP/s)")
        _scale(axes.yaxis, [y for _, y in at.values()], f"memory ({memory_unit})")
        axes.margins(0.1, 0.2)
        _legend(figure, axes, types)

    alt = f"{len(nodes)} nodes of {len(types)} types by speed and memory; {len(stage_of)} of them are used"
    return paint(name, alt, 3.2, draw)


def _by_style(nodes: Sequence[Node], types: Sequence[str]) -> list[list[str]]:
    """Gather the nodes' ids by the style of their type; rare types share the last style."""
    style_of = {kind: min(rank, _MAX_TYPES - 1) for rank, kind in enumerate(types)}
    groups: list[list[str]] = [[] for _ in range(min(len(types), _MAX_TYPES))]
    for node in nodes:
        groups[style_of[node.type]].append(node.id)
    return groups


def _marks(axes: Axes, places: Sequence[tuple[float, float]], style: int, *, used: bool) -> None:
    axes.scatter(
        [x for x, _ in places],
        [y for _, y in places],
        marker=_MARKERS[style],
        s=80 if used else 34,
        facecolors=PALETTE[style] if used else "none",
        edgecolors=SURFACE if used else PALETTE[style],
        linewidths=0.8 if used else 1.1,
        zorder=4 if used else 3,
        rasterized=len(places) > _MAX_VECTOR_POINTS,
    )


def _scale(axis: Axis, values: Sequence[float], label: str) -> None:
    """Use a logarithmic axis for values of several magnitudes."""
    axes = axis.axes
    wide = max(values) > _WIDE_RANGE * min(values)
    (axes.set_xscale if axis is axes.xaxis else axes.set_yscale)("log" if wide else "linear")
    if wide:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: three_digits(value)))
    axis.set_minor_formatter(NullFormatter())
    axis.set_label_text(label)


def _numbers(axes: Axes, at: dict[str, tuple[float, float]], stage_of: dict[str, int]) -> None:
    """Write the stages' numbers beside their nodes, together where nodes are alike."""
    if len(stage_of) > _MAX_NUMBERS:
        return
    stages_at: dict[tuple[float, float], list[int]] = {}
    for node, stage in stage_of.items():
        stages_at.setdefault(at[node], []).append(stage)
    for place, stages in stages_at.items():
        text = ", ".join(str(stage) for stage in sorted(stages))
        axes.annotate(text, place, xytext=(5, 5), textcoords="offset points", fontsize=8, zorder=5)


def _legend(figure: Figure, axes: Axes, types: Sequence[str]) -> None:
    labels = [label_text(kind, 22) for kind in types[:_MAX_TYPES]]
    if len(types) > _MAX_TYPES:
        labels[-1] = "other types"
    for rank, text in enumerate(labels):
        axes.scatter([], [], marker=_MARKERS[rank], s=40, color=PALETTE[rank], label=text)
    axes.scatter([], [], marker="o", s=40, color=MUTED, label="used (number: its stage)")
    axes.scatter([], [], marker="o", s=34, facecolors="none", edgecolors=MUTED, label="not used")
    legend_above(figure, *axes.get_legend_handles_labels())
