"""A run's rounds as spans: what every client was to do and did, equations (3) to (5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from edgeplan.runtime.federated.job import Job
from edgeplan.runtime.federated.report.rounds import JsonObject
from edgeplan.runtime.report.trace import Span, trace_document


def trace_of(job: Job, rounds: Sequence[JsonObject]) -> dict[str, Any]:
    """Return the trace of a run; a round begins when planned and measured ones before it have ended.

    Parameters
    ----------
    job
        The run.
    rounds
        Its rounds, as in the report.
    """
    lasted = (max(entry["time_s"], entry["predicted_time_s"]) for entry in rounds)
    starts = list(accumulate(lasted, initial=0.0))
    sides = (
        (
            span
            for start_s, entry in zip(starts, rounds, strict=False)
            for client in entry["clients"]
            for span in _spans(client, side, entry["round"], start_s)
        )
        for side in ("predicted", "measured")
    )
    return trace_document(job.stated.clients, *sides)


def _spans(client: JsonObject, side: str, number: int, start_s: float) -> Iterator[Span]:
    figures, node, place = client[side], client["node"], {"round": number}
    received_s, begin_s = start_s + figures["transfer_in_s"], start_s + figures["compute_start_s"]
    trained_s, end_s = begin_s + figures["compute_s"], start_s + figures["end_s"]
    work = {"local_steps": client["local_steps"], "batch_size": client["batch_size"]}
    yield Span("receive", node, start_s, received_s, place | {"bytes": figures["bytes_in"]})
    yield Span("train", node, begin_s, trained_s, place | work)
    yield Span("send", node, trained_s, end_s, place | {"bytes": figures["bytes_out"]})
