"""Improve a plan of a large pipeline and prove how good it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Result, SolverInfo, Stop
from edgeplan.solvers.layer_assignment.pipeline_at_size.bottleneck import BottleneckSearch
from edgeplan.solvers.layer_assignment.pipeline_at_size.clock import Clock, OutOfTimeError
from edgeplan.solvers.layer_assignment.pipeline_at_size.exact import Decider
from edgeplan.solvers.layer_assignment.pipeline_at_size.feasibility import without_chain
from edgeplan.solvers.layer_assignment.pipeline_at_size.field import Field
from edgeplan.solvers.layer_assignment.pipeline_at_size.first_plan import offer_first_plan
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground import bounding_ground, real_ground
from edgeplan.solvers.layer_assignment.pipeline_at_size.ledger import Ledger
from edgeplan.solvers.layer_assignment.pipeline_at_size.planner import Planner
from edgeplan.solvers.layer_assignment.pipeline_at_size.reuse import Reuse
from edgeplan.solvers.layer_assignment.pipeline_at_size.scarcity import Scarcity
from edgeplan.solvers.layer_assignment.pipeline_at_size.terms import Terms
from edgeplan.solvers.layer_assignment.pipeline_at_size.weighted import WeightedSearch
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, OnIncumbent, Search, run_search

MOST_CLASSES = 1500
MOST_WITH_SUMS = 700
_CLOSING_S_PER_NODE = 5e-6
_MOST_CLOSING = 0.3


@dataclass(frozen=True)
class PipelineAtSize:
    """Thresholds on the bottleneck, prices on scarce nodes, beam search for plans."""

    name: ClassVar[str] = "at-size"

    def solve(
        self, problem: LayerAssignment, limits: SolveLimits, on_incumbent: OnIncumbent | None = None
    ) -> Result:
        """Return the best plan and bound at the limit."""
        info = SolverInfo(name=self.name, version="1", seed=limits.seed, workers=limits.workers)
        return run_search(improve_and_bound, problem, limits, info, on_incumbent)


def improve_and_bound(search: Search) -> Ending:
    """Offer plans and raise bounds until the gap is reached or the time is up."""
    clock = Clock(search.limits.deadline - _closing_s(search))
    try:
        return _run(search, clock)
    except OutOfTimeError:
        return Ending(Stop.TIME_LIMIT)


def _closing_s(search: Search) -> float:
    """What it takes to write down the result, most of it the hash of the instance."""
    most_s = _CLOSING_S_PER_NODE * len(search.problem.instance.network.nodes)
    return min(most_s, _MOST_CLOSING * search.limits.time_limit_s)


def _run(search: Search, clock: Clock) -> Ending:
    field, terms = Field(search.problem), Terms.of(search.problem)
    rng = np.random.default_rng(search.limits.seed)
    search.raise_bound(0.0)
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
        WeightedSearch(search, planner, reuse, scarcity, terms, clock).run()
    else:
        decider = Decider(scarcity, reuse.counts)
        BottleneckSearch(search, planner, reuse, scarcity, decider, terms.bottleneck, clock).run()
    return Ending(Stop.GAP)
