"""Walks on types of nodes as plans on nodes, offered to a search."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np

from edgeplan.models.layer_assignment import Plan, Stage
from edgeplan.solvers.layer_assignment.label_setting.label_search import MAX_LABELS, LabelSearch, Stages
from edgeplan.solvers.layer_assignment.label_setting.to_come import ToCome
from edgeplan.solvers.layer_assignment.label_setting.walk import Walk
from edgeplan.solvers.layer_assignment.search import Search

_NO_GAIN = 1e-9  # relative; a plan better by less is not looked for


def ceiling(search: Search) -> float:
    """Return the objective that a walk must beat to matter."""
    if search.objective is None:
        return math.inf
    return search.objective * (1 - max(_NO_GAIN, search.limits.gap))


def offer_walks(
    search: Search, to_come: ToCome, closing: int, *, width: int | None = None, most_labels: int = MAX_LABELS
) -> float:
    """Offer the best walk with this closing that the problem accepts.

    Parameters
    ----------
    width
        Labels kept at a position; None for all.
    most_labels
        Labels held at once beyond which to give up.

    Returns
    -------
    float
        With all labels kept, the least objective of a walk below the ceiling, infinite without any.

    Raises
    ------
    TooManyLabelsError
        When there are more labels than asked for.
    """
    lowest, until, walk = math.inf, search.limits.work_until, to_come.walk
    labels = LabelSearch(to_come, closing, ceiling(search), until, width, most_labels)
    for objective, stages in labels.walks():
        lowest = min(lowest, objective)
        claimed = None if walk.has_windows else objective  # a rounding may move a stage to another window
        if search.offer(_plan(walk, stages), claimed=claimed):
            break
    return lowest


def offer_alone(search: Search, walk: Walk) -> float:
    """Offer every plan of one stage in a round, where nothing moves; return the least objective."""
    if not walk.is_round:
        return math.inf
    n = walk.num_positions
    whole = walk.costs.table.run(0, n)
    for kind in np.flatnonzero(walk.allowed[whole]):
        search.offer(_plan(walk, ((0, n, int(kind)),)))
    return math.inf if search.objective is None else search.objective


def _plan(walk: Walk, stages: Stages) -> Plan:
    """Return stages on types as a plan on nodes, the first of each type first."""
    instance, own = walk.problem.instance, walk.problem.figures.own
    uses: dict[int, int] = defaultdict(int)
    found = []
    for start, end, kind in stages:
        node = instance.network.nodes[walk.types.members[kind][uses[kind]]].id
        uses[kind] += 1
        names = tuple(instance.model.layers[index].name for index in own[start:end])
        found.append(Stage(node=node, layers=names))
    return Plan(stages=tuple(found))
