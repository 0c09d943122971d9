"""A run's rounds as spans: what every node was to do and did, equation (7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from edgeplan.runtime.report.trace import Span, trace_document
from edgeplan.runtime.snake.job import Job
from edgeplan.runtime.snake.report.rounds import JsonObject

_FIGURES = (
    "start_s",
    "transfer_in_s",
    "compute_start_s",
    "compute_s",
    "transfer_out_s",
    "bytes_in",
    "bytes_out",
)


def trace_of(job: Job, rounds: Sequence[JsonObject]) -> dict[str, Any]:
    """Return the trace of a run; a round begins when planned and measured ones before it have ended.

    Parameters
    ----------
    job
        The run.
    rounds
        Its rounds, as in the report.
    """
    lasted = (max(_end_s(entry), entry["predicted_time_s"]) for entry in rounds)
    starts = list(accumulate(lasted, initial=0.0))
    numbered = list(zip(starts, rounds, strict=False))
    planned = (
        span
        for start_s, entry in numbered
        for visit in _planned(job.in_round(entry["round"]))
        for span in _spans(visit, entry, start_s)
    )
    measured = (
        span
        for start_s, entry in numbered
        for visit in entry["timeline"]
        for span in _spans(visit, entry, start_s)
    )
    return trace_document(job.holders, planned, measured)


def _planned(job: Job) -> Iterator[JsonObject]:
    for visit in job.visits:
        predicted = {name: getattr(visit.predicted, name) for name in _FIGURES}
        yield predicted | {"node": visit.node}


def _end_s(entry: JsonObject) -> float:
    """When the last visit of a round ended; an interrupted one has clocks that began anew."""
    return max(float(visit["end_s"]) for visit in entry["timeline"])


def _spans(visit: JsonObject, entry: JsonObject, start_s: float) -> Iterator[Span]:
    node, place = visit["node"], {"round": entry["round"]}
    begin_s, compute_s = start_s + visit["start_s"], start_s + visit["compute_start_s"]
    received_s, trained_s = begin_s + visit["transfer_in_s"], compute_s + visit["compute_s"]
    sent_s = trained_s + visit["transfer_out_s"]
    yield Span("receive", node, begin_s, received_s, place | {"bytes": visit["bytes_in"]})
    yield Span("train", node, compute_s, trained_s, place)
    yield Span("send", node, trained_s, sent_s, place | {"bytes": visit["bytes_out"]})
