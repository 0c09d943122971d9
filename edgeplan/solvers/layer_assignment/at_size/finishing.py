"""Closing the last gap: the nodes that a better plan can use are few enough for the exact search."""

from __future__ import annotations

import math
import time

import numpy as np

from edgeplan.models.result import Stop
from edgeplan.solvers.layer_assignment.at_size.alone import Alone
from edgeplan.solvers.layer_assignment.at_size.bounding import ROUNDING, Bounding, Branch
from edgeplan.solvers.layer_assignment.at_size.groups.columns import Group, parts_of
from edgeplan.solvers.layer_assignment.candidates import arcs_over
from edgeplan.solvers.layer_assignment.circulation.cp_sat import prove_over
from edgeplan.solvers.layer_assignment.label_setting.proving import improve_and_prove
from edgeplan.solvers.layer_assignment.search import Search
from edgeplan.solvers.search import Ending

_ROUNDS = 8
_MAX_NODES = 250
_MAX_STEPS = 2_500_000  # of the exact search's table: what keeps everything together under 1 GB


def finish(bounding: Bounding, branches: list[Branch], alone: Alone, search: Search, upper: float) -> Ending:
    """Search exactly over the nodes that plans cheaper than the best one may use.

    Parameters
    ----------
    upper
        Cost of the best plan in terms of the branches' bounds.
    """
    nodes = _surviving_nodes(bounding, branches, alone, search, upper)
    if time.monotonic() > bounding.until:
        return Ending(Stop.TIME_LIMIT)
    if nodes is None:
        return Ending(
            Stop.WORK_LIMIT, detail="multipliers raise the bound no further, and many nodes are left"
        )
    branches.clear()  # their tables are as large as those of the exact search
    arcs = arcs_over(search.problem, nodes)
    ending = improve_and_prove(arcs, search)
    if ending.stop is Stop.WORK_LIMIT:
        ending = prove_over(arcs, search, effort=None)
    assert not ending.infeasible, "the best plan's nodes are among those searched"
    return Ending(ending.stop, detail=f"searched {len(nodes)} nodes; no better plan uses others")


def _surviving_nodes(
    bounding: Bounding, branches: list[Branch], alone: Alone, search: Search, upper: float
) -> tuple[int, ...] | None:
    """Nodes of the best plan and of all cheaper ones; None if they are too many."""
    work, network = bounding.work, search.problem.instance.network
    assert search.plan is not None
    found = {network.index_of[stage.node] for stage in search.plan.stages}
    kinds = set(np.flatnonzero(alone.costs < upper).tolist())
    for branch in branches:
        if branch.bound < upper:
            left = _surviving_kinds(bounding, branch, upper)
            if left is None:
                return None
            kinds |= left
    for kind in kinds:  # of equal nodes as many as there can be stages
        found |= set(work.kinds.members[kind][: work.num_positions].tolist())
    num_classes = len(found) if work.is_peer else 1
    num_steps = len(work.starts) * num_classes * len(found)
    return tuple(sorted(found)) if len(found) <= _MAX_NODES and num_steps <= _MAX_STEPS else None


def _surviving_kinds(bounding: Bounding, branch: Branch, upper: float) -> set[int] | None:
    """Kinds through which walks cheaper than `upper` lead; None if they cannot be told apart."""
    for _ in range(_ROUNDS):
        if time.monotonic() > bounding.until:
            return None
        walks, closing = bounding.walks(branch), bounding.closing(branch)
        pays, refund = bounding.pays(branch)
        through = walks.through(pays, closing, walks.completion(pays, closing)) - refund
        bounding.prune(branch, through - ROUNDING * (abs(refund) + abs(upper)) < upper)
        columns = branch.columns
        if columns.is_single.all():
            return {int(group[0]) for group in columns.groups}
        if columns.num_columns > 4 * _MAX_NODES:
            return None
        parts: dict[int, list[Group]] = {}
        for column in np.flatnonzero(~columns.is_single):
            run = int(np.flatnonzero(columns.own[:, column] < math.inf)[0])
            parts[int(column)] = parts_of(bounding.work, columns.groups[column], run)
        branch.columns = columns.split(parts)
    return None
