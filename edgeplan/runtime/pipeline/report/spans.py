"""A run's slots as spans: what equations (1) to (4) say of every participant, and what it did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

from edgeplan.runtime.pipeline.job import Job
from edgeplan.runtime.pipeline.report.slot_figures import SlotFigures
from edgeplan.runtime.pipeline.slots import PlannedCluster
from edgeplan.runtime.pipeline.stages.events import BACKWARD, FORWARD, RECEIVED, SENT, UPLOAD
from edgeplan.runtime.processes.records import Event
from edgeplan.runtime.report.trace import Span, trace_document


def trace_of(job: Job, events: Iterable[Event]) -> dict[str, Any]:
    """Return the trace of a run; a slot begins when planned and measured ones before it have ended.

    Parameters
    ----------
    job
        The run.
    events
        What the processes saw.
    """
    slots = SlotFigures.of_all(job, events)
    lasted = (max(slot.slot.latency_s, slot.round["time_s"]) for slot in slots)
    starts = list(accumulate(lasted, initial=0.0))
    seen = {one for slot in slots for one in slot.job.cast}
    names = [one.name for one in job.everybody if one in seen]
    numbered = list(zip(starts, slots, strict=False))
    planned = (
        span
        for start_s, slot in numbered
        for cluster in slot.slot.clusters
        for span in _planned(slot.job, slot.slot.number, cluster, start_s)
    )
    measured = (span for start_s, slot in numbered for span in _measured(slot, start_s))
    return trace_document(names, planned, measured)


def _planned(job: Job, number: int, cluster: PlannedCluster, start_s: float) -> Iterator[Span]:
    """Yield what equation (4) adds up: every stage begins a micro-batch once in a bottleneck."""
    place, cost = {"slot": number}, cluster.cost
    names = [one.name for one in job.cast]
    embedding_s = job.problem.instance.clusters[cluster.index].embedding_s
    yield Span("embed", names[cluster.control], start_s, start_s + embedding_s, place)
    begin_s = start_s + embedding_s
    for stage in cluster.stages:
        for number_of in range(cluster.micro_batches):
            first_s = begin_s + number_of * cost.bottleneck_s
            figures = place | {"micro_batch": number_of}
            yield Span("forward and backward", stage.device, first_s, first_s + stage.cost.compute_s, figures)
        begin_s += stage.cost.compute_s + stage.cost.transfer_s
    end_s = start_s + cost.latency_s
    yield Span(UPLOAD, names[cluster.control], end_s - cost.upload_s, end_s, place)


def _measured(figures: SlotFigures, start_s: float) -> Iterator[Span]:
    names, shift_s = [one.name for one in figures.job.cast], start_s - figures.begin_s
    place = {"slot": figures.slot.number}
    for kind in (FORWARD, BACKWARD):
        for event in figures.seen(kind):
            begin_s, end_s = event["begin_s"] + shift_s, event["end_s"] + shift_s
            told = place | {"micro_batch": event["micro_batch"]}
            yield Span(kind, names[event["rank"]], begin_s, end_s, told)
    for cluster in figures.slot.clusters:
        (sent,) = figures.seen(SENT, what=UPLOAD, rank=cluster.control)
        (arrived,) = figures.seen(RECEIVED, what=UPLOAD, rank=cluster.server)
        ends = sent["moment_s"] + shift_s, arrived["moment_s"] + shift_s
        yield Span(UPLOAD, names[cluster.control], *ends, place | {"bytes": arrived["bytes"]})
