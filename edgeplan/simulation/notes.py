"""What a reader of a simulation must know: what it takes for granted."""

from __future__ import annotations

from collections.abc import Iterator

from edgeplan.models.problem import Problem
from edgeplan.simulation.attempts import MOST_ATTEMPTS
from edgeplan.simulation.settings import REPLACE, SKIP, SimulationSettings, kind_of

_ROUNDS = {
    "layer_assignment, serial": "a round begins at time 0, by itself: windows are those of this one round",
    "layer_assignment, pipeline": (
        "a round is a batch: forward and backward passes of every micro-batch, and both directions of a "
        "link, are apart, so its time is not that of equation (11)"
    ),
    "segment_scheduling": (
        "a round is a slot, after the last the first again; micro-batches pass stages and hops as equation "
        "(4) has it"
    ),
    "sparse_update": "a round is the slowest device's steps and the collectives, as equation (9) has them",
}


def notes_on(problem: Problem, settings: SimulationSettings) -> Iterator[str]:
    """Yield the notes, one sentence each."""
    yield _ROUNDS[kind_of(problem)]
    if any(vars(settings.jitter).values()):
        yield (
            "jitter: log-normal factors of mean 1, each computation and transfer by itself; begun anew, it "
            "takes as long again"
        )
    if settings.churn is not None:
        yield from _on_churn(problem, settings)


def _on_churn(problem: Problem, settings: SimulationSettings) -> Iterator[str]:
    kind, policy = kind_of(problem), settings.policy(problem)
    yield "nodes leave and return each by itself, after exponential times, and are away at the start as often"
    yield f"a round in which some work is lost {MOST_ATTEMPTS} times does not end"
    if kind == "layer_assignment, serial":
        yield (
            "a visit is lost when its node leaves before its computing ends, or the sender during the "
            "transfer; what has been computed is kept, and waited for; a server never leaves"
        )
        if policy == REPLACE:
            yield (
                "a node that is away is replaced by the fastest idle one that is there, holds the stage and "
                "breaks no rule of the plan; where none is there the round waits for the node planned"
            )
    if kind == "layer_assignment, pipeline":
        yield "a pass or transfer whose node leaves is begun anew when it is back; earlier work is kept"
    if kind == "segment_scheduling":
        yield "a cluster loses its slot when an active device leaves"
        if policy == SKIP:
            yield "a slot in which every cluster is skipped takes no time"
    if kind == "sparse_update":
        yield "a device that has done its steps stays to the end of the round"
    if policy == SKIP:
        yield "who is away, or leaves before its work is done, is left out of the round"
