"""The solver by prices: a Lagrangian bound that takes a cluster apart, and a search where a gap is left."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

from edgeplan.models.result import Result, SolverInfo, Stop
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, OnIncumbent
from edgeplan.solvers.sparse_update.at_size import AtSize
from edgeplan.solvers.sparse_update.cluster import MOST_APART, Choices, Cluster
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
        return run_search(self._body, problem, limits, info, on_incumbent)

    def _body(self, search: Search) -> Ending:
        limits, cluster = search.limits, Cluster.of(search.problem)

        def judged(choices: Choices) -> float | None:
            before = search.objective
            accepted = search.offer(method.collectives.plan(choices))
            return search.objective if accepted and search.objective != before else None

        def until() -> bool:
            return search.is_done or time.monotonic() >= limits.work_until

        plain = cluster.num_classes <= MOST_APART and cluster.count.max() == 1
        kind = Tree if plain else AtSize
        method = kind(cluster, judged, search.tighten_bound, until)
        if search.objective is not None:
            method.best = search.objective
        if method.run(limits.remaining_s) and search.plan is None:
            return Ending(Stop.PROOF, infeasible=True)
        if search.is_done:
            return Ending(Stop.GAP)
        return Ending(Stop.TIME_LIMIT if time.monotonic() >= limits.work_until else Stop.WORK_LIMIT)
