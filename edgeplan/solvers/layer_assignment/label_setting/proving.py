"""Proving the best plan over some nodes by label setting, closing by closing."""

from __future__ import annotations

import math

from edgeplan.models.result import Stop
from edgeplan.solvers.layer_assignment.bounds.walks import OutOfTimeError
from edgeplan.solvers.layer_assignment.label_setting.closings import Closings
from edgeplan.solvers.layer_assignment.label_setting.node_types import NodeTypes
from edgeplan.solvers.layer_assignment.label_setting.offering import offer_alone
from edgeplan.solvers.layer_assignment.label_setting.pruning import Pruning
from edgeplan.solvers.layer_assignment.label_setting.states import States
from edgeplan.solvers.layer_assignment.label_setting.walk import Walk
from edgeplan.solvers.layer_assignment.search import Search
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs
from edgeplan.solvers.search import Ending


def closings_of(search: Search, walk: Walk) -> Closings:
    """Return the closings of a walk, all open, after offering the plans that are no walks."""
    return Closings(search, dict.fromkeys(walk.closings, 0.0), offer_alone(search, walk))


def ending_of(closings: Closings, search: Search) -> Ending:
    """What the closings say when no more labels are set."""
    if closings.open and not search.is_done:
        count, of = len(closings.open), len(closings.lowest)
        detail = f"{count} of {of} closings need more labels than memory should hold; use --solver cp-sat"
        return Ending(Stop.WORK_LIMIT, detail=detail)
    if search.objective is None and not math.isfinite(closings.least):
        return Ending(Stop.PROOF, infeasible=True)
    closings.tighten_bound()
    if search.is_done:
        return Ending(Stop.GAP)
    return Ending(Stop.WORK_LIMIT, detail="the best walk that rounding lets in breaks a limit")


def improve_and_prove(arcs: Arcs, search: Search) -> Ending:
    """Improve the plan known, and prove it the best over the nodes of these steps, as far as labels go."""
    nodes = arcs.table.nodes
    types = NodeTypes.of(search.problem, nodes, at_most=len(nodes))
    assert types is not None
    walk = States(Walk(search.problem, types)).walk
    closings = closings_of(search, walk)
    try:
        Pruning(search, walk, arcs, closings).run()
    except OutOfTimeError:
        return Ending(Stop.TIME_LIMIT)
    return ending_of(closings, search)
