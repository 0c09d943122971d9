"""The plan: its Gantt chart, its stages, what it costs; or why there is none."""

from __future__ import annotations

import json
from collections.abc import Sequence

from edgeplan.models.faults import show_value
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.problem import Problem
from edgeplan.models.result import Conflict
from edgeplan.report.content import Block, Cell, Facts, Notice, Picture, Section, Source, Table, cut_note
from edgeplan.report.figures.canvas import MAX_ROWS
from edgeplan.report.figures.gantt import gantt_svg
from edgeplan.report.figures.search import search_svg
from edgeplan.report.lanes import MAX_MICRO_BATCHES, one_after_another, pipeline_lanes, planned_lanes
from edgeplan.report.plan_metrics import PlanMetrics, StageMetrics
from edgeplan.report.sections.change_over import change_over
from edgeplan.report.sections.head import gap_text, number_text
from edgeplan.report.sections.judged import Judged
from edgeplan.report.sections.schedule.horizon import horizon_blocks
from edgeplan.report.sections.updates.updates import updates_blocks
from edgeplan.report.units import bytes_text, decimal_text, run_text, seconds_text

_WITHOUT_PLAN = {
    "infeasible": "It is proven that no plan keeps all limits of this instance.",
    "no_plan": "The search ended before it found a plan or proved that none exists.",
    "failed": "The solver broke before it gave an answer.",
}


def plan_section(judged: Judged, problem: Problem | None, suffix: str) -> Section:
    """Lay out one result, with its instance if known; `suffix` keeps anchors of several apart."""
    result = judged.result
    title = f"Plan by {judged.solver}" if suffix else "Plan"
    blocks: list[Block] = []
    if result.detail:
        blocks.append(Notice((result.detail,), "bad" if result.status == "failed" else "info"))
    blocks += _conflicts(judged)
    blocks += _verdict(judged)
    if judged.metrics is not None:
        blocks += _stages(judged, judged.metrics, problem, suffix)
        blocks.append(_costs(judged.metrics))
    elif judged.horizon is not None:
        blocks += horizon_blocks(judged.horizon, suffix)
    elif judged.updates is not None:
        blocks += updates_blocks(judged.updates, suffix)
    elif result.plan is not None:
        blocks.append(Source("Plan as it is", json.dumps(result.plan, indent=2, ensure_ascii=False)))
    blocks += change_over(result.replanned, result.objective)
    blocks += _search(judged, suffix)
    return Section(f"plan{suffix}", title, _lead(judged), tuple(blocks))


def _lead(judged: Judged) -> str:
    result = judged.result
    if result.status.value in _WITHOUT_PLAN:
        return _WITHOUT_PLAN[result.status.value]
    known = f"Objective {number_text(result.objective)}"
    if result.bound is None:
        return f"{known}; no bound is proven, so how far the optimum may be is not known."
    return f"{known}, proven bound {number_text(result.bound)}, gap {gap_text(result.gap)}."


def _conflicts(judged: Judged) -> list[Block]:
    conflicts = judged.result.conflicts
    if not conflicts:
        return []
    columns = ("limit", "need>", "have>", "change to>", "restores a plan", "why")
    rows = [_conflict_row(conflict) for conflict in conflicts]
    return [Table.of("Limits that cannot hold together", columns, rows)]


def _conflict_row(conflict: Conflict) -> tuple[str | Cell, ...]:
    return (
        Cell(conflict.pointer, "quiet"),
        _limit_text(conflict.need),
        _limit_text(conflict.have),
        _limit_text(conflict.change_to) if conflict.restores else "–",
        Cell("yes", "good") if conflict.restores else Cell("no", "quiet"),
        conflict.message,
    )


def _limit_text(value: float | int | str | None) -> str:
    return f"{value:,}" if isinstance(value, int) else show_value(value)


def _verdict(judged: Judged) -> list[Block]:
    if judged.check is None:
        return []
    if judged.check.feasible:
        return [Notice(("Checked against the instance: every rule and limit holds.",), "good")]
    rows = [(Cell(v.rule, "bad"), Cell(v.pointer, "quiet"), v.message) for v in judged.check.violations[:100]]
    note = cut_note(len(rows), len(judged.check.violations), "violations")
    return [Table.of("Rules that this plan breaks", ("rule", "place", "message"), rows, note=note)]


def _stages(judged: Judged, metrics: PlanMetrics, problem: Problem | None, suffix: str) -> list[Block]:
    if not metrics.stages:
        return []
    if isinstance(problem, LayerAssignment) and problem.is_pipeline and metrics.bottleneck_s is not None:
        picture = _batch(metrics.stages, problem.instance.micro_batches, metrics.bottleneck_s, suffix)
    else:
        picture = _round(metrics.stages, suffix)
    return [picture, _stage_table(judged, metrics)]


def _batch(
    stages: Sequence[StageMetrics], num_micro_batches: int, bottleneck_s: float, suffix: str
) -> Picture:
    lanes = pipeline_lanes(stages, num_micro_batches, bottleneck_s)
    how = f"A micro-batch follows the one before it after {seconds_text(bottleneck_s)}, the bottleneck."
    shown = f"The first {MAX_MICRO_BATCHES} of {num_micro_batches:,} are drawn."
    notes = [shown if num_micro_batches > MAX_MICRO_BATCHES else "", cut_note(MAX_ROWS, len(lanes), "stages")]
    svg = gantt_svg(f"gantt{suffix}", lanes, begun="the batch")
    caption = " ".join([how, _LUMPED, *(note for note in notes if note)])
    return Picture("The batch as a Gantt chart", svg, caption)


def _round(stages: Sequence[StageMetrics], suffix: str) -> Picture:
    together = not one_after_another(stages)
    lanes = planned_lanes(stages)
    notes = [cut_note(MAX_ROWS, len(lanes), "stages")]
    if any(not lane.spans for lane in lanes):
        notes.append("A stage without a bar fits none of its node's windows.")
    svg = gantt_svg(f"gantt{suffix}", lanes, begun=None if together else "the round")
    how = "All stages work at the same time." if together else "One stage after another, in visiting order."
    caption = " ".join([how, *(note for note in notes if note)])
    title = "Busy time of every stage" if together else "The round as a Gantt chart"
    return Picture(title, svg, caption)


_LUMPED = "Forward and backward work of a micro-batch are one bar, as in the equations."
_STAGE_COLUMNS = (
    "#>",
    "node",
    "own layers",
    "layers>",
    "start>",
    "transfer in>",
    "compute>",
    "transfer out>",
    "bytes in>",
    "bytes out>",
)


def _stage_table(judged: Judged, metrics: PlanMetrics) -> Table:
    stages = judged.plan.stages if judged.plan else ()
    own = [stage.layers for stage in stages]
    if len(own) != len(metrics.stages):
        own = [()] * len(metrics.stages)
    rows = [
        _stage_row(k, cost, layers)
        for k, (cost, layers) in enumerate(zip(metrics.stages, own, strict=True), start=1)
    ]
    return Table.of("Stages", _STAGE_COLUMNS, rows)


def _stage_row(k: int, cost: StageMetrics, layers: tuple[str, ...]) -> tuple[str | Cell, ...]:
    return (
        str(k),
        cost.node,
        Cell(run_text(layers), hint=", ".join(layers[:50])),
        str(len(layers) or "–"),
        seconds_text(cost.start_s),
        seconds_text(cost.transfer_in_s),
        seconds_text(cost.compute_s),
        seconds_text(cost.transfer_out_s),
        Cell(bytes_text(cost.bytes_in), hint=f"{cost.bytes_in:,} bytes"),
        Cell(bytes_text(cost.bytes_out), hint=f"{cost.bytes_out:,} bytes"),
    )


def _costs(metrics: PlanMetrics) -> Facts:
    pairs = (
        ("Time", seconds_text(metrics.time_s)),
        ("Bottleneck", seconds_text(metrics.bottleneck_s)),
        ("Energy", decimal_text(metrics.energy_j, "J")),
        ("Price", number_text(metrics.price)),
        ("Bytes moved", bytes_text(metrics.bytes_moved)),
    )
    return Facts("What it costs", pairs)


def _search(judged: Judged, suffix: str) -> list[Block]:
    result = judged.result
    slots = judged.horizon.metrics.slots if judged.horizon is not None else ()
    if len(result.incumbents) < 2 or len(slots) > 1:  # sums over slots are known at the end only
        return []
    svg = search_svg(f"search{suffix}", result.incumbents, result.runtime_s)
    return [Picture("How the search went", svg, "Best objective and proven bound as they came.")]
