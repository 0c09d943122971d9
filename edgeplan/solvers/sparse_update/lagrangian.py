"""The solver by prices: a Lagrangian bound that takes a cluster apart, and a search where a gap is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from edgeplan.models.result import Result, SolverInfo, Stop
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, OnIncumbent
from edgeplan.solvers.sparse_update.choices.cluster import Choices, Cluster
from edgeplan.solvers.sparse_update.infeasible.any_plan import AnyPlan, UndecidedError
from edgeplan.solvers.sparse_update.search import Search, run_search
from edgeplan.solvers.sparse_update.tree.at_size import AtSize
from edgeplan.solvers.sparse_update.tree.improvement import Improvement
from edgeplan.solvers.sparse_update.tree.method import Method
from edgeplan.solvers.sparse_update.tree.tree import Tree

Kind = TypeVar("Kind", bound=Method)

_MOST_IMPROVED = 100  # devices, each of which does something else
_LATE = 0.2  # share of the time that is left where a search counts as stopped by time
_JUDGEMENTS = 3  # as long as judging takes the result too, and writing it


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
    if not tree.begin(search.limits.remaining_s):
        return Ending(Stop.PROOF, infeasible=True)
    if not tree.has_plan and tree.left and _denies_any(search, cluster, tree.take):
        return Ending(Stop.PROOF, infeasible=True, claimed_by="cp-sat")
    return ending(search, tree.search())


def _denies_any(search: Search, cluster: Cluster, take: Callable[[Choices], None]) -> bool:
    """Ask CP-SAT for any choices that keep all rules; say whether it proves that there are none."""
    with AnyPlan(search.limits.seed) as engine:
        try:
            found = engine.choices(cluster, time.monotonic() + search.limits.remaining_s / 2)
        except UndecidedError:
            return False
    if found is not None:
        take(found)
    return found is None


def tree_of(search: Search, cluster: Cluster) -> Tree:
    """Return the search over all plans, which tells this one what it finds."""
    return _judged(Tree, search, cluster)


def _judged(kind: type[Kind], search: Search, cluster: Cluster) -> Kind:
    improvement = Improvement.of(cluster)
    judge = _Judge(search, improvement)
    method = kind(improvement, judge.judged, search.tighten_bound, judge.is_over)
    if search.objective is not None:
        method.best = search.objective
    return method


def search_at_size(search: Search, cluster: Cluster) -> Ending:
    """Plan for many devices."""
    done = _judged(AtSize, search, cluster).run(search.limits.remaining_s)
    if search.plan is None and not done:
        apart = Cluster.of(search.problem, apart=True)
        if _denies_any(search, apart, lambda found: _take_apart(search, apart, found)):
            return Ending(Stop.PROOF, infeasible=True, claimed_by="cp-sat")
    return ending(search, done)


def _take_apart(search: Search, apart: Cluster, choices: Choices) -> None:
    """Judge choices of every device by itself, improved where that is not too long."""
    improvement = Improvement.of(apart)
    improvement.offer(choices, search)
    if apart.num_classes <= _MOST_IMPROVED:
        improved = improvement.improved(choices)
        if improved is not None:
            improvement.offer(improved, search)


def ending(search: Search, done: bool) -> Ending:
    """Say why a search ended: whether it looked at all there is, and what it knows."""
    if done and search.plan is None:
        return Ending(Stop.PROOF, infeasible=True)
    if search.is_done:
        return Ending(Stop.GAP)
    late = time.monotonic() >= search.limits.work_until - _LATE * search.limits.time_limit_s
    return Ending(Stop.TIME_LIMIT if late else Stop.WORK_LIMIT)


@dataclass
class _Judge:
    """Offers choices as plans, and keeps back the time that judging the last one takes."""

    search: Search
    improvement: Improvement
    _longest_s: float = 0.0

    def judged(self, choices: Choices) -> float | None:
        """Return the objective of choices that are better than all before and keep all rules."""
        began, before = time.monotonic(), self.search.objective
        accepted = self.improvement.offer(choices, self.search)
        self._longest_s = max(self._longest_s, time.monotonic() - began)
        return self.search.objective if accepted and self.search.objective != before else None

    def is_over(self) -> bool:
        """Whether the gap is reached, or there is time for the last judgement and the result alone."""
        over = time.monotonic() + _JUDGEMENTS * self._longest_s >= self.search.limits.work_until
        return self.search.is_done or over
