"""Random instances with plans of sound structure; noise, and churn at the scale of a round."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from independent.instances import random_instance, random_pipeline, random_plan
from independent.segment_instances import random_document as random_segments
from independent.segment_instances import random_plan as random_segment_plan
from independent.sparse_instances import random_document as random_updates
from independent.sparse_instances import random_plan as random_update_plan

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.problem import PlanDocument, Problem
from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.simulation import Churn, Jitter, SimulationSettings, played, replay_of
from edgeplan.simulation.rounds import Rounds
from edgeplan.simulation.simulating import Replay

Drawn = tuple[int, Problem, PlanDocument]
JITTER = Jitter(compute=0.3, transfer=0.5, node=0.2)


def drawn(kind: str, seeds: range) -> Iterator[Drawn]:
    """Yield seed, problem and plan; seeds without a plan are passed over."""
    for seed in seeds:
        found = _DRAWS[kind](seed)
        if found is not None:
            yield seed, *found


def _assignment(document: dict[str, Any], seed: int) -> tuple[Problem, PlanDocument] | None:
    plan = random_plan(random.Random(seed), document)
    problem = LayerAssignment.from_document(document)
    return None if plan is None else (problem, problem.plan_from_document(plan))


def _segments(seed: int) -> tuple[Problem, PlanDocument] | None:
    document = random_segments(seed, *_SHAPES[seed % len(_SHAPES)])
    plan = random_segment_plan(seed, document)
    problem = SegmentScheduling.from_document(document)
    return None if plan is None else (problem, problem.plan_from_document(plan))


_SHAPES = ((1, 3, 4, 5, 3), (2, 2, 3, 4, 2), (2, 3, 4, 3, 4), (3, 1, 2, 3, 6), (1, 4, 3, 2, 1))


def _updates(seed: int, *, network: bool) -> tuple[Problem, PlanDocument]:
    document = random_updates(seed, 1 + seed % 4, 1 + seed % 5, network=network)
    problem = SparseUpdate.from_document(document)
    return problem, problem.plan_from_document(random_update_plan(document, seed))


_DRAWS = {
    "serial": lambda seed: _assignment(random_instance(seed), seed),
    "pipeline": lambda seed: _assignment(random_pipeline(seed), seed),
    "segments": _segments,
    "updates": lambda seed: _updates(seed, network=False),
    "updates on a network": lambda seed: _updates(seed, network=True),
}


def churn_of(seed: int, time_s: float) -> Churn:
    """Nodes that leave about as often as a round of this time ends, some often, some seldom."""
    rng = random.Random(f"churn {seed}")
    return Churn(max(time_s, 1e-6) * rng.uniform(0.2, 3.0), max(time_s, 1e-6) * rng.uniform(0.05, 1.0))


def played_out(problem: Problem, plan: PlanDocument, settings: SimulationSettings) -> tuple[Replay, Rounds]:
    """Return the plan ready to be played, and the rounds."""
    replay = replay_of(problem, plan, settings)
    return replay, played(replay, settings)
