"""Head of the page: what it is about, and the figures that a reader looks for first."""

from __future__ import annotations

from collections.abc import Sequence

from edgeplan.models.faults import show_value
from edgeplan.models.result import OPTIMALITY_GAP, SolverInfo, Status
from edgeplan.models.segment_scheduling import SegmentSchedulingInstance
from edgeplan.report.content import Cell, Table, Tile, Tone
from edgeplan.report.inputs import Inputs
from edgeplan.report.run_document import RunDocument
from edgeplan.report.schedule.horizon import Horizon
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
from edgeplan.report.updates.updates import Updates

_BUDGET_TOLERANCE = 1e-9

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
        title: str = inputs.problem.instance.name
        return title
    if inputs.runs:
        return inputs.runs[0].name
    if inputs.sweeps:
        return inputs.sweeps[0].name
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
    if inputs.updating is not None:
        updated = inputs.updating.instance
        parts.append(f"{counted(len(updated.layers), 'layer')} on {counted(len(updated.devices), 'device')}")
    parts += [f"{len(inputs.results)} results"] if len(inputs.results) > 1 else []
    parts += [f"{len(inputs.runs)} runs"] if len(inputs.runs) > 1 else []
    parts += [f"{len(inputs.sweeps)} sweeps"] if len(inputs.sweeps) > 1 else []
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
    if result.conflicts:
        tiles.append(Tile("Conflict", counted(len(result.conflicts), "limit"), "cannot hold together", "bad"))
    if judged.horizon is not None:
        tiles += _horizon_tiles(judged.horizon)
    if judged.updates is not None:
        tiles += _update_tiles(judged.updates)
    if result.objective is not None:
        summed = judged.horizon is not None and len(judged.horizon.metrics.slots) > 1
        hint = "all slots, for the queues met" if summed else ""
        tiles.append(Tile("Objective", number_text(result.objective), hint))
    if result.objective is not None or result.bound is not None:
        hint = f"gap {gap_text(result.gap)}" if result.gap is not None else "no gap known"
        tiles.append(Tile("Proven bound", number_text(result.bound), hint))
    if metrics is not None:
        tiles.append(Tile("Bytes moved", bytes_text(metrics.bytes_moved), "a round"))
        tiles += _memory_tile(judged)
    return tiles


def _update_tiles(updates: Updates) -> list[Tile]:
    total, fullest = updates.cost.aggregation, max(updates.devices, key=lambda cost: cost.memory_share)
    brought = sum(cost.contribution for cost in updates.devices)
    share = fullest.memory_share
    return [
        Tile("Contribution", number_text(brought), counted(len(updates.devices), "device")),
        Tile(
            "Aggregation",
            seconds_text(total.seconds),
            f"{counted(len(updates.cost.collectives), 'collective')}, {bytes_text(total.bytes_moved)} moved",
        ),
        Tile("Fullest memory", percent_text(share), fullest.id, "bad" if share > 1 else ""),
    ]


def _horizon_tiles(horizon: Horizon) -> list[Tile]:
    metrics, num_slots = horizon.metrics, len(horizon.metrics.slots)
    tiles = [
        Tile("Mean latency", seconds_text(metrics.mean_latency_s), counted(num_slots, "slot")),
        _budget_tile(horizon),
    ]
    if num_slots > 1:
        proven = f"{horizon.num_proven:,} of {counted(num_slots, 'slot')} proven"
        tone: Tone = "good" if horizon.num_proven == num_slots else ""
        tiles.append(Tile("Worst slot's gap", gap_text(horizon.worst_gap), proven, tone))
    return tiles


def _budget_tile(horizon: Horizon) -> Tile:
    who, share = horizon.most_exceeded
    if share > _BUDGET_TOLERANCE:
        return Tile("Budget exceeded most", percent_text(share), who, "bad")
    hint = "all of them, in the mean" if horizon.budgets else "those of energy, in the mean"
    return Tile("Budgets", "kept", hint, "good")


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
    imposed = run.settings.get("emulation") != "none"
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
    solved = inputs.results or inputs.sweeps
    if len(solved) == 1:
        solver = solved[0].solver
        facts.append(("Solver", f"{solver.name} {solver.version}".strip()))
        facts.append(("Settings", _settings(solver)))
        facts.append(("Solve time", seconds_text(solved[0].runtime_s)))
    return tuple(facts)


def _settings(solver: SolverInfo) -> str:
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
    time = "planned round>"
    if any(entry.horizon for entry in judged):
        time = "mean latency>"
    if any(entry.updates for entry in judged):
        time = "aggregation>"
    columns = ("solver", "status", "objective>", "bound>", "gap>", time, "solve time>")
    return Table.of("Results side by side", columns, rows)


def _planned(judged: Judged) -> str:
    if judged.horizon is not None:
        return seconds_text(judged.horizon.metrics.mean_latency_s)
    if judged.updates is not None:
        return seconds_text(judged.updates.cost.aggregation.seconds)
    return seconds_text(judged.metrics.time_s if judged.metrics else None)


def number_text(value: float | None) -> str:
    """Write an objective or a bound."""
    return UNKNOWN if value is None else f"{value:,.6g}" if abs(value) < 1e6 else decimal_text(value)


def gap_text(gap: float | None) -> str:
    """Write a gap; one that counts as closed without its digits."""
    if gap is None:
        return UNKNOWN
    return "< 0.0001 %" if 0 < gap < OPTIMALITY_GAP else percent_text(gap)
