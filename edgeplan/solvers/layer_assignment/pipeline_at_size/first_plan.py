"""A first plan in a fraction of a second: a few nodes that are good at something, and a narrow beam."""

from __future__ import annotations

import math

import numpy as np

from edgeplan.solvers.layer_assignment.pipeline_at_size.clock import Clock
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.alike import Alike
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.field import Field
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.ground import Ground
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Floats, Ints
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.terms import Terms
from edgeplan.solvers.layer_assignment.pipeline_at_size.planner import Planner
from edgeplan.solvers.layer_assignment.pipeline_at_size.proofs.reuse import Reuse
from edgeplan.solvers.layer_assignment.search import Search

_GOOD_AT_ALL = 50
_GOOD_AT_ONE = 10
_RATIO = 1.1
_WIDENINGS = (1.4, 2.0, 4.0, 16.0, 256.0, math.inf)
_WIDTH = 10


def offer_first_plan(
    search: Search, field: Field, terms: Terms, clock: Clock, rng: np.random.Generator
) -> None:
    """Offer a plan on a few nodes, if one is found quickly."""
    few = _few(field, terms)
    planner, reuse = Planner(search, few, clock, rng), Reuse(few, clock)
    if not reuse.has_chain:
        return
    reuse.bisect(_RATIO)
    rows = np.arange(len(few.classes))
    for widening in _WIDENINGS:
        threshold_s = widening * reuse.lowest_possible_s
        behind = reuse.stages_behind(threshold_s)
        prices = 1.0 + rng.random(len(rows))
        if planner.walk(threshold_s, behind, rows, prices, None, width=_WIDTH, terms=None):
            return


def _few(field: Field, terms: Terms) -> Ground:
    """Nodes that are good at everything or best at something, and those with pins."""
    nodes = field.nodes
    figures = [-nodes.flops_per_s, -nodes.uplink, -nodes.downlink, nodes.latency_s, -nodes.memory_bytes]
    ranks = np.stack([_ranks(np.asarray(figure)) for figure in figures])
    chosen = np.zeros(len(nodes), dtype=np.bool_)
    chosen[list(field.rules.span)] = True
    for rank, number in [(ranks.max(axis=0), _GOOD_AT_ALL), *((rank, _GOOD_AT_ONE) for rank in ranks)]:
        chosen[np.argpartition(rank, min(number, len(rank) - 1))[:number]] = True
    rows = np.flatnonzero(chosen)
    rigid = (field.rules.pinned | field.links.linked)[rows]
    is_ordered = field.problem.instance.node_order == "given"
    alike = Alike(nodes.take(rows), np.zeros(0, dtype=np.int64))
    return Ground(field, terms, alike, rigid, rigid | field.rules.forbidding[rows], is_ordered)


def _ranks(values: Floats | Ints) -> Ints:
    """Place of each value; equal ones share theirs by chance."""
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[np.argsort(values)] = np.arange(len(values))
    return ranks
