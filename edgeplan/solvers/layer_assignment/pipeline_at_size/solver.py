"""Improve a plan of a large pipeline and prove how good it is."""

from __future__ import annotations

import numpy as np

from edgeplan.models.result import Stop
from edgeplan.solvers.layer_assignment.pipeline_at_size.bottleneck import BottleneckSearch
from edgeplan.solvers.layer_assignment.pipeline_at_size.clock import Clock, OutOfTimeError
from edgeplan.solvers.layer_assignment.pipeline_at_size.first_plan import offer_first_plan
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.field import Field
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.ground import bounding_ground, real_ground
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.terms import Terms
from edgeplan.solvers.layer_assignment.pipeline_at_size.planner import Planner
from edgeplan.solvers.layer_assignment.pipeline_at_size.proofs.exact import Decider
from edgeplan.solvers.layer_assignment.pipeline_at_size.proofs.feasibility import without_chain
from edgeplan.solvers.layer_assignment.pipeline_at_size.proofs.ledger import Ledger
from edgeplan.solvers.layer_assignment.pipeline_at_size.proofs.reuse import Reuse
from edgeplan.solvers.layer_assignment.pipeline_at_size.proofs.scarcity import Scarcity
from edgeplan.solvers.layer_assignment.pipeline_at_size.weighted import WeightedSearch
from edgeplan.solvers.layer_assignment.search import Search
from edgeplan.solvers.search import Ending

MOST_CLASSES = 1500
MOST_WITH_SUMS = 700
_CLOSING_S_PER_NODE = 5e-6
_MOST_CLOSING = 0.3


def improve_and_bound(search: Search, until: float) -> Ending:
    """Offer plans and raise bounds until the gap is reached or the time is up."""
    try:
        return _run(search, Clock(min(until, search.limits.deadline - _closing_s(search))))
    except OutOfTimeError:
        return Ending(Stop.TIME_LIMIT)


def _closing_s(search: Search) -> float:
    """What it takes to write down the result, most of it the hash of the instance."""
    most_s = _CLOSING_S_PER_NODE * len(search.problem.instance.network.nodes)
    return min(most_s, _MOST_CLOSING * search.limits.time_limit_s)


def _run(search: Search, clock: Clock) -> Ending:
    field, terms = Field(search.problem), Terms.of(search.problem)
    rng = np.random.default_rng(search.limits.seed)
    search.tighten_bound(0.0)
    offer_first_plan(search, field, terms, Clock(search.limits.deadline), rng)
    real = real_ground(field, terms)
    ground = bounding_ground(real, most=MOST_WITH_SUMS if terms.has_sum else MOST_CLASSES)
    fewest, most = field.num_stages
    binding = most if most < min(field.runs.num_layers, len(field.nodes)) else None
    scarcity = Scarcity(ground, Ledger(ground.classes.copies, fewest, binding), clock)
    reuse = Reuse(ground, clock)
    if not reuse.has_chain:
        return without_chain(field, scarcity)
    reuse.bisect()
    planner = Planner(search, real, clock, rng)
    if terms.has_sum:
        return WeightedSearch(search, planner, reuse, scarcity, terms, clock).run()
    decider = Decider(scarcity, reuse.counts)
    return BottleneckSearch(search, planner, reuse, scarcity, decider, terms.bottleneck, clock).run()
