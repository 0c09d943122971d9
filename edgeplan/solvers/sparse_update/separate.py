"""Every device for itself: the exact answer where nothing couples devices, and a bound in any case."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgeplan.models.result import Result, SolverInfo, Stop
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, OnIncumbent
from edgeplan.solvers.sparse_update.choices.best_choices import EXACT, BestChoices
from edgeplan.solvers.sparse_update.choices.cluster import Cluster
from edgeplan.solvers.sparse_update.choices.scope import Scope
from edgeplan.solvers.sparse_update.search import Search, run_search
from edgeplan.solvers.sparse_update.tree.improvement import Improvement


@dataclass(frozen=True)
class Separate:
    """A knapsack for every device, as if aggregation cost nothing and no rule were about several devices.

    The plan is offered as it is; where it breaks coverage or nesting there is none.
    """

    name: ClassVar[str] = "dp"

    def solve(
        self, problem: SparseUpdate, limits: SolveLimits, on_incumbent: OnIncumbent | None = None
    ) -> Result:
        """Return the plan in which every device brings the most, and the sum as a bound."""
        info = SolverInfo(name=self.name, version="1", seed=limits.seed, workers=limits.workers)
        return run_search(self._body, problem, limits, info, on_incumbent)

    def _body(self, search: Search) -> Ending:
        cluster = Cluster.of(search.problem)
        found = BestChoices(cluster, EXACT).find(cluster.gain, cluster.depth_gain, Scope.of(cluster))
        if not np.isfinite(found.upper).all():
            return Ending(Stop.PROOF, infeasible=True)
        search.tighten_bound(math.fsum(cluster.count * found.upper))
        if np.isfinite(found.value).all():
            Improvement.of(cluster).offer(found.choices, search)
        return Ending(Stop.GAP if search.is_done else Stop.WORK_LIMIT)
