"""Head of the page: what it is about, and the figures that a reader looks for first."""

from __future__ import annotations

from collections.abc import Sequence

from edgeplan.models.faults import show_value
from edgeplan.models.result import OPTIMALITY_GAP, Result, Status
from edgeplan.models.segment_scheduling import SegmentSchedulingInstance
from edgeplan.report.content import Cell, Table, Tile, Tone
from edgeplan.report.inputs import Inputs
from edgeplan.report.run_document import RunDocument
from edgeplan.report.schedule_metrics import ScheduleMetrics
from edgeplan.report.sections.judged import Judged
from edgeplan.report.units import (
    UNKNOWN,
    bytes_text,
    counted,
    decimal_text,
    percent_text,
    ratio_of,
    ratio_text,
    seconds_text,
)

_TONES: dict[Status, Tone] = {
    Status.OPTIMAL: "good",
    Status.FEASIBLE: "info",
    Status.INFEASIBLE: "bad",
    Status.NO_PLAN: "warn",
    Status.FAILED: "bad",
}


def title_of(inputs: Inputs) -> str:
    """Name the page after the instance, or else after the first run or the problem."""
    if inputs.problem is not None:
        return inputs.problem.instance.name
    if inputs.runs:
        return inputs.runs[0].name
    return inputs.results[0].problem.replace("_", " ")


def subtitle_of(inputs: Inputs) -> str:
    """Say in one line what the page holds."""
    parts = []
    if inputs.assignment is not None:
        instance = inputs.assignment.instance
        nodes, layers = len(instance.network.nodes), len(instance.model.layers)
        size = f"{counted(layers, 'layer')} on {counted(nodes, 'node')}"
        parts.append(f"{instance.model.name}: {size}, {instance.schedule}")
    if inputs.scheduling is not None:
        parts.append(_size_of(inputs.scheduling.instance))
    parts += [f"{len(inputs.results)} results"] if len(inputs.results) > 1 else []
    parts += [f"{len(inputs.runs)} runs"] if len(inputs.runs) > 1 else []
    return " · ".join(parts)


def _size_of(instance: SegmentSchedulingInstance) -> str:
    clusters = instance.clusters
    devices = sum(len(cluster.devices) for cluster in clusters)
    where = f"{counted(devices, 'device')} in {counted(len(clusters), 'cluster')}"
    blocks, slots = counted(len(instance.model.layers), "block"), counted(instance.control.slots, "slot")
    return f"{instance.model.name}: {blocks} on {where}, {slots}"


def badges_of(judged: Sequence[Judged], runs: Sequence[RunDocument]) -> tuple[Cell, ...]:
    """Show the status of every result and the verdict of every run."""
    badges = []
    for entry in judged:
        badges.append(Cell(entry.result.status.value, _TONES[entry.result.status]))
        if entry.check is not None and not entry.check.feasible:
            badges.append(Cell("plan breaks rules", "bad"))
    verdicts = [run.passed for run in runs if run.passed is not None]
    badges += [Cell("run passed", "good") if passed else Cell("run failed", "bad") for passed in verdicts]
    return tuple(badges)


def tiles_of(judged: Sequence[Judged], runs: Sequence[RunDocument]) -> tuple[Tile, ...]:
    """Show the first result's figures, then the first run's."""
    tiles = _result_tiles(judged[0]) if judged else []
    return (*tiles, *(run_tiles(runs[0]) if len(runs) == 1 else ()))


def _result_tiles(judged: Judged) -> list[Tile]:
    result, metrics = judged.result, judged.metrics
    tiles = [
        Tile(
            "Status",
            result.status.value,
            f"stopped by {result.stop.value.replace('_', ' ')}",
            _TONES[result.status],
        )
    ]
    if metrics is not None:
        tiles.append(
            Tile("Planned round", seconds_text(metrics.time_s), counted(len(metrics.stages), "stage"))
        )
    if judged.schedule is not None:
        tiles += _schedule_tiles(judged.schedule)
    if result.objective is not None:
        tiles.append(Tile("Objective", number_text(result.objective)))
    if result.objective is not None or result.bound is not None:
        hint = f"gap {gap_text(result.gap)}" if result.gap is not None else "no gap known"
        tiles.append(Tile("Proven bound", number_text(result.bound), hint))
    if metrics is not None:
        tiles.append(Tile("Bytes moved", bytes_text(metrics.bytes_moved), "a round"))
        tiles += _memory_tile(judged)
    return tiles


def _schedule_tiles(schedule: ScheduleMetrics) -> list[Tile]:
    who, share = schedule.worst
    kept = Tile("Budgets", "kept", "all of them", "good")
    over = Tile("Budget exceeded most", percent_text(share), who, "bad")
    latency = seconds_text(schedule.mean_latency_s)
    return [Tile("Mean latency", latency, counted(len(schedule.slots), "slot")), over if share > 0 else kept]


def _memory_tile(judged: Judged) -> list[Tile]:
    stages = judged.metrics.stages if judged.metrics else ()
    if not stages:
        return []
    fullest = max(stages, key=lambda stage: stage.memory_bytes / max(stage.memory_budget_bytes, 1))
    share = fullest.memory_bytes / max(fullest.memory_budget_bytes, 1)
    return [Tile("Fullest memory", percent_text(share), fullest.node, "bad" if share > 1 else "")]


def run_tiles(run: RunDocument) -> tuple[Tile, ...]:
    """Show predicted and measured round, bytes, frozen parameters, accuracy."""
    totals, baseline = run.totals, run.baseline
    ratio = ratio_of(totals.measured_round_s, totals.predicted_round_s)
    imposed = run.settings.get("shape", True)
    hint = f"{ratio_text(ratio)} the prediction" if imposed else "speeds and links were not imposed"
    tiles = [
        Tile("Predicted round", seconds_text(totals.predicted_round_s)),
        Tile("Measured round", seconds_text(totals.measured_round_s), hint),
        _bytes_tile(run),
    ]
    if totals.frozen_unchanged is not None:
        kept = totals.frozen_unchanged
        word = "intact" if kept else "changed"
        tiles.append(Tile("Frozen weights", word, "compared bit by bit", "good" if kept else "bad"))
    if totals.accuracy is not None:
        hint = f"{ratio_text(baseline.snake_accuracy_ratio)} {baseline.title}" if baseline else ""
        tiles.append(Tile("Accuracy", percent_text(totals.accuracy), hint))
    if baseline is not None and baseline.snake_bytes_ratio is not None:
        tiles.append(Tile("Bytes against " + baseline.title, ratio_text(baseline.snake_bytes_ratio)))
    return tuple(tiles)


def _bytes_tile(run: RunDocument) -> Tile:
    totals = run.totals
    value = bytes_text(totals.measured_bytes_per_round)
    if totals.bytes_equal is None:
        return Tile("Measured bytes", value, "a round")
    if totals.bytes_equal:
        return Tile("Measured bytes", value, "a round, as predicted to the byte", "good")
    return Tile("Measured bytes", value, f"predicted {bytes_text(totals.predicted_bytes_per_round)}", "bad")


def facts_of(inputs: Inputs) -> tuple[tuple[str, str], ...]:
    """Say which instance, and which solver with which settings."""
    facts = [("Instance", inputs.instance_sha256)]
    if len(inputs.results) == 1:
        result = inputs.results[0]
        solver = result.solver
        facts.append(("Solver", f"{solver.name} {solver.version}".strip()))
        facts.append(("Settings", _settings(result)))
        facts.append(("Solve time", seconds_text(result.runtime_s)))
    return tuple(facts)


def _settings(result: Result) -> str:
    solver = result.solver
    options = [f"{key} {show_value(value)}" for key, value in solver.options.items()]
    return ", ".join([f"seed {solver.seed}", counted(solver.workers, "worker"), *options])


def comparison_of(judged: Sequence[Judged]) -> Table:
    """Set several results of one instance side by side."""
    rows = []
    for entry in judged:
        result = entry.result
        status = Cell(result.status.value, _TONES[result.status])
        figures = (number_text(result.objective), number_text(result.bound), gap_text(result.gap))
        rows.append((entry.solver, status, *figures, _planned(entry), seconds_text(result.runtime_s)))
    time = "mean latency>" if any(entry.schedule for entry in judged) else "planned round>"
    columns = ("solver", "status", "objective>", "bound>", "gap>", time, "solve time>")
    return Table.of("Results side by side", columns, rows)


def _planned(judged: Judged) -> str:
    if judged.schedule is not None:
        return seconds_text(judged.schedule.mean_latency_s)
    return seconds_text(judged.metrics.time_s if judged.metrics else None)


def number_text(value: float | None) -> str:
    """Write an objective or a bound."""
    return UNKNOWN if value is None else f"{value:,.6g}" if abs(value) < 1e6 else decimal_text(value)


def gap_text(gap: float | None) -> str:
    """Write a gap; one that counts as closed without its digits."""
    if gap is None:
        return UNKNOWN
    return "< 0.0001 %" if 0 < gap < OPTIMALITY_GAP else percent_text(gap)
