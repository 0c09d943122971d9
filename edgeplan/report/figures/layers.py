"""The model layer by layer: parameters and FLOPs, coloured by the stage that owns the layer."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from edgeplan.models.model import Layer
from edgeplan.report.figures.canvas import BLUE, GREEN, MUTED, ORANGE, PURPLE, SKY, SURFACE, count_axis, paint
from edgeplan.report.units import decimal_text

_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY)
_MAX_LAYERS = 1000
_MAX_STAGE_NUMBERS = 40


def layers_svg(name: str, layers: Sequence[Layer], owner: dict[str, int], shared: Sequence[str]) -> str:
    """Draw parameters and FLOPs of every layer.

    Parameters
    ----------
    name
        Name of the figure.
    layers
        Layers in model order; the first thousand are drawn.
    owner
        Stage, from 1 on, of each layer that one stage owns.
    shared
        Layers that every stage trains.
    """
    layers = layers[:_MAX_LAYERS]

    def draw(figure: Figure) -> None:
        top, bottom = figure.subplots(2, 1, sharex=True)
        _columns(top, layers, [float(layer.parameters) for layer in layers], owner, shared)
        _columns(bottom, layers, [_flops(layer) for layer in layers], owner, shared)
        top.set_ylabel("parameters")
        bottom.set_ylabel("FLOPs per sample")
        count_axis(bottom, "layer, in model order")
        bottom.set_xlim(0.4, len(layers) + 0.6)
        _stage_numbers(top, layers, owner)

    alt = f"Parameters and FLOPs of {len(layers)} layers, coloured by the stage that owns each"
    return paint(name, alt, 3.8, draw)


def _flops(layer: Layer) -> float:
    return layer.forward_flops + layer.input_gradient_flops + layer.weight_gradient_flops


def _columns(
    axes: Axes, layers: Sequence[Layer], heights: list[float], owner: dict[str, int], shared: Sequence[str]
) -> None:
    everywhere = set(shared)
    colours = [
        _COLOURS[(owner[layer.name] - 1) % len(_COLOURS)] if layer.name in owner else MUTED
        for layer in layers
    ]
    width = 0.82 if len(layers) <= 200 else 1.0
    bars = axes.bar(range(1, len(layers) + 1), heights, width=width, color=colours, linewidth=0)
    for layer, bar in zip(layers, bars, strict=True):
        if layer.name in everywhere:
            bar.set_hatch("////")
            bar.set_edgecolor(SURFACE)
    axes.grid(visible=False, axis="x")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: decimal_text(value)))


def _stage_numbers(axes: Axes, layers: Sequence[Layer], owner: dict[str, int]) -> None:
    """Write each stage's number above the middle of its run of layers."""
    places: dict[int, list[int]] = {}
    for position, layer in enumerate(layers, start=1):
        if layer.name in owner:
            places.setdefault(owner[layer.name], []).append(position)
    if len(places) > _MAX_STAGE_NUMBERS:
        return
    for stage, positions in places.items():
        middle = (positions[0] + positions[-1]) / 2
        axes.text(
            middle,
            1.02,
            str(stage),
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=8,
            fontweight="bold",
            color=_COLOURS[(stage - 1) % len(_COLOURS)],
        )
