"""Visits as lanes of a Gantt chart: transfer in, waiting, computing, transfer out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from edgeplan.report.plan_metrics import StageMetrics
from edgeplan.report.run_document import RunStage, TimelineEntry

KINDS = ("transfer in", "waiting", "computing", "transfer out")
MAX_MICRO_BATCHES = 48
_NEGLIGIBLE = 1e-9


@dataclass(frozen=True, slots=True)
class Span:
    """One bar: what the node does from when for how long, in seconds."""

    kind: str
    start_s: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class Lane:
    """The bars of one stage."""

    node: str
    spans: tuple[Span, ...]

    @property
    def end_s(self) -> float:
        """End of the last bar; 0 without bars."""
        return max((span.start_s + span.duration_s for span in self.spans), default=0.0)


def _lane(node: str, start_s: float, durations: Sequence[float]) -> Lane:
    spans, now = [], start_s
    for kind, duration_s in zip(KINDS, durations, strict=True):
        if duration_s > _NEGLIGIBLE * max(1.0, now):
            spans.append(Span(kind, now, duration_s))
        now += max(duration_s, 0.0)
    return Lane(node, tuple(spans))


def one_after_another(stages: Sequence[StageMetrics]) -> bool:
    """Say whether each stage starts when the one before has ended (serial), or all at once (pipeline)."""
    known = [stage for stage in stages if stage.start_s is not None and stage.end_s is not None]
    return all(
        (after.start_s or 0.0) >= (before.end_s or 0.0) * (1 - _NEGLIGIBLE)
        for before, after in pairwise(known)
    )


def planned_lanes(stages: Sequence[StageMetrics]) -> tuple[Lane, ...]:
    """Lay out the stages of a plan; a stage that fits no window keeps an empty lane."""
    serial = one_after_another(stages)
    return tuple(_planned_lane(stage, serial=serial) for stage in stages)


def _planned_lane(stage: StageMetrics, *, serial: bool) -> Lane:
    if stage.start_s is None or stage.end_s is None:
        return Lane(stage.node, ())
    busy_s = stage.transfer_in_s + stage.compute_s + stage.transfer_out_s
    waiting_s = stage.end_s - stage.start_s - busy_s if serial else 0.0
    durations = (stage.transfer_in_s, waiting_s, stage.compute_s, stage.transfer_out_s)
    return _lane(stage.node, stage.start_s, durations)


def pipeline_lanes(
    stages: Sequence[StageMetrics], num_micro_batches: int, bottleneck_s: float
) -> tuple[Lane, ...]:
    """Lay out a batch whose micro-batches follow each other after the bottleneck, the first of them drawn.

    The last bar of the last micro-batch then ends at the time of equation (11).
    """
    lanes, begin_s = [], 0.0
    for stage in stages:
        compute_s, link_s = stage.compute_s / num_micro_batches, stage.transfer_out_s / num_micro_batches
        spans: list[Span] = []
        for number in range(min(num_micro_batches, MAX_MICRO_BATCHES)):
            start_s = begin_s + number * bottleneck_s
            spans += _lane(stage.node, start_s, (0.0, 0.0, compute_s, link_s)).spans
        lanes.append(Lane(stage.node, tuple(spans)))
        begin_s += compute_s + link_s
    return tuple(lanes)


def predicted_lanes(stages: Sequence[RunStage]) -> tuple[Lane, ...]:
    """Lay out the predictions of a run report one after another, without any waiting."""
    lanes: list[Lane] = []
    now = 0.0
    for stage in stages:
        figures = stage.predicted
        seconds = (figures.transfer_in_s or 0.0, 0.0, figures.compute_s or 0.0, figures.transfer_out_s or 0.0)
        lanes.append(_lane(stage.node, now, seconds))
        now += sum(seconds)
    return tuple(lanes)


def measured_lanes(timeline: Sequence[TimelineEntry]) -> tuple[Lane, ...]:
    """Lay out the visits of a measured round, which begins at 0."""
    origin = min((entry.start_s for entry in timeline), default=0.0)
    return tuple(_measured_lane(entry, origin) for entry in timeline)


def _measured_lane(entry: TimelineEntry, origin: float) -> Lane:
    waiting_s = entry.compute_start_s - entry.start_s - entry.transfer_in_s
    out_s = entry.end_s - entry.compute_start_s - entry.compute_s
    durations = (entry.transfer_in_s, waiting_s, entry.compute_s, out_s)
    return _lane(entry.node, entry.start_s - origin, durations)
