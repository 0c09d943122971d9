"""What a heuristic plan and Lagrange prices say of the stages and the nodes, before labels are set."""

from __future__ import annotations

import math

import numpy as np

from edgeplan.solvers.layer_assignment.arcs import Arcs
from edgeplan.solvers.layer_assignment.candidates import candidates
from edgeplan.solvers.layer_assignment.dualised import Dualised
from edgeplan.solvers.layer_assignment.heuristic import FULL, QUICK, construct_and_improve
from edgeplan.solvers.layer_assignment.label_setting.offering import offer_walks
from edgeplan.solvers.layer_assignment.label_setting.states import States
from edgeplan.solvers.layer_assignment.label_setting.to_come import Prices, ToCome
from edgeplan.solvers.layer_assignment.label_setting.walk import Walk
from edgeplan.solvers.layer_assignment.relaxation import Ascent, Relaxation
from edgeplan.solvers.layer_assignment.stage_table import Bools
from edgeplan.solvers.layer_assignment.walks import OutOfTimeError
from edgeplan.solvers.search import Search

_PRUNE_FROM = 1e6  # labels; below, pruning takes longer than it saves
_ASCENTS, _ASCENT_S, _WORTH = 8, 5.0, 0.1  # most ascents, their time, and the gain in gaps for another
_DIVES, _NARROW = 6, 500  # closings, and labels kept at a position, to find better plans before the proof


def prepared(search: Search, states: States) -> ToCome:
    """Let the heuristic offer a plan, and drop stages and price nodes by what it says."""
    walk, prune = states.walk, states.effort() > _PRUNE_FROM
    chosen, everything = candidates(search.problem), ToCome(walk, walk.allowed)
    arcs, limits = chosen.arcs, search.limits
    if not arcs.num_nodes:
        return everything
    until = limits.share(0.2, most_s=2.0)
    construct_and_improve(arcs, Relaxation(arcs), search, until=until, effort=FULL if prune else QUICK)
    if not (prune and chosen.complete) or search.objective is None:
        return everything
    try:
        return _pruned(search, walk, arcs)
    except OutOfTimeError:
        return everything


def _pruned(search: Search, walk: Walk, arcs: Arcs) -> ToCome:
    """Keep the stages that a better plan may have, and price the nodes that walks use too often.

    Between ascents of the prices narrow searches look for better plans, which makes the next better.
    """
    assert search.objective is not None
    relaxation = Relaxation(arcs, search.limits.share(0.7, most_s=math.inf))
    ascent, bound = Ascent(relaxation.no_multipliers(), None, arcs.first_senders), -math.inf
    for _ in range(_ASCENTS):
        until = search.limits.share(0.15, most_s=_ASCENT_S)
        ascent = relaxation.ascend(search.objective, until=until, multipliers=ascent.multipliers)
        before, bound = bound, relaxation.bound(ascent.walk)
        search.raise_bound(min(bound, search.objective))
        if search.is_done or bound - before < _WORTH * (search.objective - bound):
            break
        to_come = _priced(walk, arcs, relaxation, ascent, walk.allowed)
        for closing in sorted(walk.closings, key=to_come.bound)[:_DIVES]:
            offer_walks(search, to_come, closing, width=_NARROW)
    useful = relaxation.useful_arcs(search.objective, ascent)
    kept = np.stack([useful[:, :, mine].any(axis=(1, 2)) for mine in _columns(walk, arcs)], axis=1)
    return _priced(walk, arcs, relaxation, ascent, walk.allowed & kept)


def _columns(walk: Walk, arcs: Arcs) -> list[list[int]]:
    """Columns of each type's nodes."""
    column_of = {node: column for column, node in enumerate(arcs.table.nodes)}
    return [[column_of[node] for node in members] for members in walk.types.members]


def _priced(walk: Walk, arcs: Arcs, relaxation: Relaxation, ascent: Ascent, allowed: Bools) -> ToCome:
    """Take the relaxation's prices, on average for the nodes of a type."""
    pays = relaxation.per_stage(ascent.multipliers)
    mean = np.array([pays[mine].mean() for mine in _columns(walk, arcs)])
    return ToCome(walk, allowed, Prices(mean, Dualised.of(arcs).refund(ascent.multipliers)))
