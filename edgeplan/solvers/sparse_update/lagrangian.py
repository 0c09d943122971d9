"""The solver by prices: a Lagrangian bound that takes a cluster apart, and a search where a gap is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from edgeplan.models.result import Result, SolverInfo, Stop
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, OnIncumbent
from edgeplan.solvers.sparse_update.at_size import AtSize
from edgeplan.solvers.sparse_update.cluster import Choices, Cluster
from edgeplan.solvers.sparse_update.collectives import collectives_of
from edgeplan.solvers.sparse_update.search import Search, run_search
from edgeplan.solvers.sparse_update.tree import Tree


@dataclass(frozen=True)
class Lagrangian:
    """Exact where devices are few; with a proven gap where they are many."""

    name: ClassVar[str] = "lagrangian"

    def solve(
        self, problem: SparseUpdate, limits: SolveLimits, on_incumbent: OnIncumbent | None = None
    ) -> Result:
        """Return a proven optimum, or the best plan and bound at the limit."""
        info = SolverInfo(name=self.name, version="1", seed=limits.seed, workers=limits.workers)
        return run_search(_body, problem, limits, info, on_incumbent)


def _body(search: Search) -> Ending:
    cluster = Cluster.of(search.problem)
    if not cluster.is_listed:
        return search_at_size(search, cluster)
    tree = tree_of(search, cluster)
    return ending(search, tree.run(search.limits.remaining_s))


def tree_of(search: Search, cluster: Cluster) -> Tree:
    """Return the search over all plans, which tells this one what it finds."""
    tree = Tree(cluster, _judging(search, cluster), search.tighten_bound, _stopping(search))
    if search.objective is not None:
        tree.best = search.objective
    return tree


def search_at_size(search: Search, cluster: Cluster) -> Ending:
    """Plan for many devices."""
    method = AtSize(cluster, _judging(search, cluster), search.tighten_bound, _stopping(search))
    if search.objective is not None:
        method.best = search.objective
    return ending(search, method.run(search.limits.remaining_s))


def ending(search: Search, done: bool) -> Ending:
    """Say why a search ended: whether it looked at all there is, and what it knows."""
    if done and search.plan is None:
        return Ending(Stop.PROOF, infeasible=True)
    if search.is_done:
        return Ending(Stop.GAP)
    return Ending(Stop.TIME_LIMIT if time.monotonic() >= search.limits.work_until else Stop.WORK_LIMIT)


def _judging(search: Search, cluster: Cluster) -> Callable[[Choices], float | None]:
    """Offer choices as plans, and return their objective where they are better than all before."""
    collectives = collectives_of(cluster)

    def judged(choices: Choices) -> float | None:
        before = search.objective
        accepted = search.offer(collectives.plan(choices))
        return search.objective if accepted and search.objective != before else None

    return judged


def _stopping(search: Search) -> Callable[[], bool]:
    return lambda: search.is_done or time.monotonic() >= search.limits.work_until
