"""The nodes by speed and memory: which of them the plan uses."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from edgeplan.models.network import Node
from edgeplan.report.figures.canvas import INK, MUTED, PALETTE, SURFACE, label_text, paint
from edgeplan.report.units import bytes_text, decimal_text

_MARKERS = "osD^vPX"
_MAX_NUMBERS = 40
_MAX_VECTOR_POINTS = 2000
_MAX_TYPES = len(_MARKERS)


def nodes_svg(name: str, nodes: Sequence[Node], stage_of: dict[str, int]) -> str:
    """Draw every node by speed and memory; used ones are filled and carry their stage's number."""
    types = [kind for kind, _ in _by_number(nodes)]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.set_xscale("log")
        axes.set_yscale("log", base=2)
        for rank, kind in enumerate(types):
            style = min(rank, _MAX_TYPES - 1)
            for used in (False, True):
                some = [n for n in nodes if n.type == kind and (n.id in stage_of) == used]
                axes.scatter(
                    [n.flops_per_s for n in some],
                    [n.memory_bytes for n in some],
                    marker=_MARKERS[style],
                    s=80 if used else 34,
                    facecolors=PALETTE[style] if used else "none",
                    edgecolors=SURFACE if used else PALETTE[style],
                    linewidths=0.8 if used else 1.1,
                    zorder=4 if used else 3,
                    rasterized=len(some) > _MAX_VECTOR_POINTS,
                )
        _numbers(figure, nodes, stage_of)
        _legend(figure, types)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: decimal_text(value)))
        axes.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: bytes_text(value)))
        axes.margins(0.12)
        axes.set_xlabel("speed (FLOP/s)")
        axes.set_ylabel("memory")

    alt = f"{len(nodes)} nodes of {len(types)} types by speed and memory; {len(stage_of)} of them are used"
    return paint(name, alt, 3.6, draw)


def _by_number(nodes: Sequence[Node]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for node in nodes:
        counts[node.type] = counts.get(node.type, 0) + 1
    return sorted(counts.items(), key=lambda item: -item[1])


def _numbers(figure: Figure, nodes: Sequence[Node], stage_of: dict[str, int]) -> None:
    """Write the stages' numbers beside their nodes, together where nodes are alike."""
    if len(stage_of) > _MAX_NUMBERS:
        return
    at: dict[tuple[float, int], list[int]] = {}
    for node in nodes:
        if node.id in stage_of:
            at.setdefault((node.flops_per_s, node.memory_bytes), []).append(stage_of[node.id])
    for place, stages in at.items():
        text = ", ".join(str(stage) for stage in sorted(stages))
        figure.axes[0].annotate(text, place, xytext=(6, 5), textcoords="offset points", fontsize=8)


def _legend(figure: Figure, types: Sequence[str]) -> None:
    axes = figure.axes[0]
    for rank, kind in enumerate(types[:_MAX_TYPES]):
        text = label_text(kind, 22) if rank + 1 < _MAX_TYPES or len(types) == _MAX_TYPES else "other types"
        axes.scatter([], [], marker=_MARKERS[rank], s=40, color=PALETTE[rank], label=text)
    axes.scatter([], [], marker="o", s=40, color=MUTED, label="used (number: its stage)")
    axes.scatter([], [], marker="o", s=34, facecolors="none", edgecolors=MUTED, label="not used")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=5, labelcolor=INK)
