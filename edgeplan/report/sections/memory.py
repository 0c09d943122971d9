"""Memory of every stage against its node's budget; by kind where the instance tells."""

from __future__ import annotations

from collections.abc import Sequence

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.report.content import Picture, Section, cut_note
from edgeplan.report.figures.canvas import MAX_ROWS
from edgeplan.report.figures.memory import MemoryBar, memory_svg
from edgeplan.report.run_document import RunDocument
from edgeplan.report.sections.judged import Judged
from edgeplan.report.units import percent_text


def memory_section(
    judged: Judged, problem: LayerAssignment | None, runs: Sequence[RunDocument], suffix: str
) -> Section | None:
    """Lay out the memory of one result; None without stages."""
    bars = _bars(judged, problem, _measured(runs))
    if not bars:
        return None
    worst = max(bars, key=lambda bar: bar.share)
    lead = f"The fullest node is {worst.node}: its stage needs {percent_text(worst.share)} of the budget."
    marks = "Diamonds are the peaks that the run measured. " if _measured(runs) else ""
    caption = f"Every row is scaled to its own node's budget. {marks}" + cut_note(
        MAX_ROWS, len(bars), "stages"
    )
    picture = Picture("Memory against budget", memory_svg(f"memory{suffix}", bars), caption)
    title = f"Memory, plan by {judged.solver}" if suffix else "Memory"
    return Section(f"memory{suffix}", title, lead, (picture,))


def _measured(runs: Sequence[RunDocument]) -> dict[str, float]:
    """Peaks of the first run, by node."""
    stages = runs[0].stages if runs else ()
    return {s.node: s.measured.memory_bytes for s in stages if s.measured.memory_bytes is not None}


def _bars(
    judged: Judged, problem: LayerAssignment | None, measured: dict[str, float]
) -> tuple[MemoryBar, ...]:
    if judged.metrics is None:
        return ()
    parts = _parts(problem, judged.plan) if problem is not None and judged.plan is not None else {}
    return tuple(
        MemoryBar(
            node=stage.node,
            need_bytes=stage.memory_bytes,
            budget_bytes=stage.memory_budget_bytes,
            parts=parts.get(stage.node, {}),
            measured_bytes=measured.get(stage.node),
        )
        for stage in judged.metrics.stages
    )


def _parts(problem: LayerAssignment, plan: Plan) -> dict[str, dict[str, float]]:
    """Split every stage's memory into the terms of its equation."""
    index_of = {layer.name: k for k, layer in enumerate(problem.instance.model.layers)}
    num_stages = len(plan.stages)
    return {
        stage.node: stage_parts(problem, [index_of[name] for name in stage.layers], num_stages - k)
        for k, stage in enumerate(plan.stages)
    }


def stage_parts(problem: LayerAssignment, own_layers: list[int], stages_to_end: int = 1) -> dict[str, float]:
    """Split the memory of a stage with these own layers by what it is for, in bytes.

    Parameters
    ----------
    stages_to_end
        Stages of a pipeline from this one to the last.
    """
    if problem.is_pipeline:
        return _pipeline_parts(problem, own_layers, stages_to_end)
    return _serial_parts(problem, own_layers)


def _pipeline_parts(
    problem: LayerAssignment, own_layers: list[int], stages_to_end: int
) -> dict[str, float]:  # (9)
    figures, training = problem.pipeline, problem.instance.training
    parameters = figures.parameters(own_layers)
    parts = {"reserve": float(training.reserve_bytes), "weights": float(figures.weight_bytes * parameters)}
    saved = 0.0
    if figures.is_training:
        parts["gradients"] = float(training.gradient_bytes * parameters)
        parts["optimizer state"] = float(training.optimizer_bytes * parameters)
        layers = problem.instance.model.layers
        samples = figures.in_flight(stages_to_end) * figures.micro_batch_size
        saved = float(samples * sum(layers[index].saved_bytes for index in own_layers))
    rest = figures.memory_bytes(own_layers, stages_to_end) - sum(parts.values()) - saved
    return parts | {"activations": saved, "buffers": max(0.0, rest)}


def _serial_parts(problem: LayerAssignment, own_layers: list[int]) -> dict[str, float]:  # (4)
    figures, training = problem.serial, problem.instance.training
    trained = figures.trained(own_layers)
    inside = figures.parameters(trained)
    outside = figures.parameters(range(len(problem.instance.model.layers))) - inside
    parts = {
        "reserve": float(training.reserve_bytes),
        "frozen weights": float(figures.frozen_weight_bytes * outside),
        "trained weights": float(figures.weight_bytes * inside),
        "gradients": float(training.gradient_bytes * inside),
        "optimizer state": float(training.optimizer_bytes * inside),
    }
    parts["activations"] = max(0.0, figures.memory_bytes(own_layers) - sum(parts.values()))
    return parts
