"""A run's rounds as spans: what every device was to do and did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgeplan.runtime.report.trace import Span, trace_document
from edgeplan.runtime.sparse.execution.course import Position, leg_of
from edgeplan.runtime.sparse.execution.job import Job
from edgeplan.runtime.sparse.execution.phases import PHASES, PLAN
from edgeplan.runtime.sparse.execution.report.seen import Seen


def trace_of(job: Job, seen: Seen) -> dict[str, Any]:
    """Return the trace of the plan's phase; what is planned of a round begins when it began.

    Parameters
    ----------
    job
        The run.
    seen
        Events of all processes.
    """
    rounds = range(1, job.settings.rounds + 1)
    begins = [_begin_s(seen, number) for number in rounds]
    legs = [job.in_leg(leg_of(job.legs, Position(PHASES.index(PLAN), number))) for number in rounds]
    planned = (
        span
        for number, leg, begin_s in zip(rounds, legs, begins, strict=True)
        for span in _planned(leg, number, begin_s - begins[0])
    )
    measured = (span for number in rounds for span in _measured(job, seen, number, begins[0]))
    return trace_document(job.names, planned, measured)


def _begin_s(seen: Seen, number: int) -> float:
    return min(float(event["begin_s"]) for event in seen.all("trained", PLAN, number))


def _planned(job: Job, number: int, begin_s: float) -> Iterator[Span]:
    place, cost = {"round": number}, job.phases[PHASES.index(PLAN)].cost
    steps_s = [job.settings.local_steps * device.step_s for device in cost.device_costs]
    for name, lasted_s in zip(job.present, steps_s, strict=True):
        yield Span("train", name, begin_s, begin_s + lasted_s, place)
    stepped_s = begin_s + max(steps_s)
    for index, (one, span) in enumerate(zip(cost.collectives, cost.spans, strict=True)):
        for name in one.members:
            begin_s, end_s = stepped_s + span.begin_s, stepped_s + span.end_s
            yield Span(one.kind, name, begin_s, end_s, place | {"collective": index})


def _measured(job: Job, seen: Seen, number: int, first_s: float) -> Iterator[Span]:
    for kind, name in (("trained", "train"), ("aggregated", "aggregate")):
        for event in seen.all(kind, PLAN, number):
            begin_s, end_s = event["begin_s"] - first_s, event["end_s"] - first_s
            yield Span(name, job.names[event["rank"]], begin_s, end_s, {"round": number})
