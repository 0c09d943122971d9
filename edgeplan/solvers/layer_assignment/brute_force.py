"""Brute force: every order of nodes over every cut of the layers, judged by the problem alone.

It shares nothing with the other solvers but the problem's own check, and so judges them in tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, permutations
from math import comb, perm
from typing import ClassVar

from edgeplan.errors import UsageError
from edgeplan.models.layer_assignment import LayerAssignment, Plan, Stage
from edgeplan.models.result import Result, SolverInfo, Stop
from edgeplan.solvers.layer_assignment.search import Search, run_search
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, OnIncumbent

MAX_PLANS = 2_000_000


@dataclass(frozen=True)
class BruteForce:
    """Tries every plan; for small instances only."""

    name: ClassVar[str] = "brute-force"

    def solve(
        self, problem: LayerAssignment, limits: SolveLimits, on_incumbent: OnIncumbent | None = None
    ) -> Result:
        """Return the optimum, or that no plan exists.

        Raises
        ------
        UsageError
            When there are more than ``MAX_PLANS`` plans.
        """
        count = num_plans(problem)
        if count > MAX_PLANS:
            raise UsageError(
                f"brute force would try {count} plans, more than {MAX_PLANS}; use another solver"
            )
        info = SolverInfo(name=self.name, version="1", seed=limits.seed, workers=1)
        return run_search(_try_all, problem, limits, info, on_incumbent)


def _try_all(search: Search) -> Ending:
    for plan in plans(search.problem):
        search.offer(plan)
        if search.limits.remaining_s == 0:
            return Ending(Stop.TIME_LIMIT)
    if search.objective is None:
        return Ending(Stop.PROOF, infeasible=True)
    search.tighten_bound(search.objective)
    return Ending(Stop.PROOF)


def num_plans(problem: LayerAssignment) -> int:
    """Number of plans that `plans` yields."""
    num_layers, num_nodes = len(problem.figures.own), len(_workers(problem))
    return sum(
        comb(num_layers - 1, k - 1) * perm(num_nodes, k) for k in range(1, min(num_layers, num_nodes) + 1)
    )


def _workers(problem: LayerAssignment) -> list[str]:
    server = problem.server
    return [node.id for node in problem.instance.network.nodes if node.id != server]


def plans(problem: LayerAssignment) -> Iterator[Plan]:
    """Yield every assignment of consecutive runs to different nodes."""
    names = [problem.instance.model.layers[index].name for index in problem.figures.own]
    workers = _workers(problem)
    for num_stages in range(1, min(len(names), len(workers)) + 1):
        for cuts in combinations(range(1, len(names)), num_stages - 1):
            bounds = [0, *cuts, len(names)]
            runs = [tuple(names[bounds[k] : bounds[k + 1]]) for k in range(num_stages)]
            for nodes in permutations(workers, num_stages):
                stages = tuple(Stage(node=node, layers=run) for node, run in zip(nodes, runs, strict=True))
                yield Plan(stages=stages)
