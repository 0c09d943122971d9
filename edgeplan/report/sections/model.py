"""The model: its layers, and which stage owns which."""

from __future__ import annotations

from edgeplan.models.model import Layer, Model
from edgeplan.report.content import Cell, Picture, Section, Table, cut_note
from edgeplan.report.figures.layers import layers_svg
from edgeplan.report.sections.judged import Judged
from edgeplan.report.units import bytes_text, counted, decimal_text

_MAX_LAYERS = 500


def model_section(model: Model, shared: tuple[str, ...], judged: Judged | None) -> Section:
    """Lay out the model, its layers coloured by owner where there is a plan of layer_assignment."""
    layers = model.layers
    plan = judged.plan if judged else None
    owner = {name: k for k, stage in enumerate(plan.stages if plan else (), start=1) for name in stage.layers}
    svg = layers_svg("layers", layers, owner, shared)
    picture = Picture("Parameters and FLOPs by layer", svg, _caption(owner, shared))
    parameters = f"{sum(layer.parameters for layer in layers):,}"
    lead = f"{model.name}: {counted(len(layers), 'layer')} with {parameters} parameters together."
    return Section("model", "Model", lead, (picture, _table(layers, owner, shared)))


def _caption(owner: dict[str, int], shared: tuple[str, ...]) -> str:
    parts = ["Colours and numbers are the stages that own the layers."] if owner else []
    if shared:
        parts.append("Hatched layers are shared: every stage has them.")
    return " ".join(parts)


def _table(layers: tuple[Layer, ...], owner: dict[str, int], shared: tuple[str, ...]) -> Table:
    everywhere = set(shared)
    rows = [
        (
            str(k),
            layer.name,
            Cell("all", "quiet") if layer.name in everywhere else str(owner.get(layer.name, "–")),
            f"{layer.parameters:,}",
            decimal_text(layer.forward_flops),
            decimal_text(layer.input_gradient_flops),
            decimal_text(layer.weight_gradient_flops),
            bytes_text(layer.output_bytes),
            bytes_text(layer.saved_bytes),
        )
        for k, layer in enumerate(layers[:_MAX_LAYERS], start=1)
    ]
    columns = (
        "#>",
        "layer",
        "stage>",
        "parameters>",
        "forward FLOPs>",
        "input gradient>",
        "weight gradient>",
        "output>",
        "saved>",
    )
    note = cut_note(len(rows), len(layers), "layers")
    return Table.of("Layers, per sample", columns, rows, note=note, folded=len(rows) > 16)
