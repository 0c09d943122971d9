"""A run's rounds as spans: what every device was to do and did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgeplan.models.sparse_update.collectives import cost_of
from edgeplan.runtime.report.trace import Span, trace_document
from edgeplan.runtime.sparse.execution.job import Job
from edgeplan.runtime.sparse.execution.phases import Phase
from edgeplan.runtime.sparse.execution.report.seen import Seen


def trace_of(job: Job, phase: Phase, seen: Seen) -> dict[str, Any]:
    """Return the trace of a phase; what is planned of a round begins when it began.

    Parameters
    ----------
    job
        The run.
    phase
        What was trained, and the collectives.
    seen
        Events of all processes.
    """
    rounds = range(1, job.settings.rounds + 1)
    begins = [_begin_s(phase, seen, number) for number in rounds]
    planned = (
        span
        for number, begin_s in zip(rounds, begins, strict=True)
        for span in _planned(job, phase, number, begin_s - begins[0])
    )
    measured = (span for number in rounds for span in _measured(job, phase, seen, number, begins[0]))
    return trace_document(job.names, planned, measured)


def _begin_s(phase: Phase, seen: Seen, number: int) -> float:
    return min(float(event["begin_s"]) for event in seen.all("trained", phase.name, number))


def _planned(job: Job, phase: Phase, number: int, begin_s: float) -> Iterator[Span]:
    place, cost = {"round": number}, phase.cost
    steps_s = [job.settings.local_steps * device.step_s for device in cost.device_costs]
    for name, lasted_s in zip(job.names, steps_s, strict=True):
        yield Span("train", name, begin_s, begin_s + lasted_s, place)
    now_s = begin_s + max(steps_s)
    for index, one in enumerate(cost.collectives):
        end_s = now_s + cost_of(job.problem.instance, [one], cost.updated).seconds
        for name in one.members:
            yield Span(one.kind, name, now_s, end_s, place | {"collective": index})
        now_s = end_s


def _measured(job: Job, phase: Phase, seen: Seen, number: int, first_s: float) -> Iterator[Span]:
    for kind, name in (("trained", "train"), ("aggregated", "aggregate")):
        for event in seen.all(kind, phase.name, number):
            begin_s, end_s = event["begin_s"] - first_s, event["end_s"] - first_s
            yield Span(name, job.names[event["rank"]], begin_s, end_s, {"round": number})
