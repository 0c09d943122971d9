"""The integer programme solved by a back-end: prices first, then the back-end on what they leave."""

from __future__ import annotations

import time
from dataclasses import dataclass

from edgeplan.errors import BackendError
from edgeplan.models.result import Stop
from edgeplan.solvers.backend_process import BackendProcess, Message
from edgeplan.solvers.exact import answered
from edgeplan.solvers.search import Ending
from edgeplan.solvers.sparse_update.choices.cluster import Choices, Cluster
from edgeplan.solvers.sparse_update.exact.programme import Programme
from edgeplan.solvers.sparse_update.lagrangian import ending, search_at_size, tree_of
from edgeplan.solvers.sparse_update.prices.dual import Part
from edgeplan.solvers.sparse_update.search import Search
from edgeplan.solvers.sparse_update.tree.improvement import Improvement

_ROOT = 0.3  # share of the time for prices, before the back-end


def prove(search: Search, process: BackendProcess, *, polish: bool) -> Ending:
    """Prove the best plan, or that there is none; of many devices plan by prices alone.

    Parameters
    ----------
    process
        The back-end.
    polish
        Whether prices bound, plan and prune first; without them the back-end starts from nothing.
    """
    cluster = Cluster.of(search.problem)
    if not cluster.is_listed:
        return search_at_size(search, cluster)
    tree = tree_of(search, cluster)
    part = tree.whole
    if not tree.bound_apart():
        return Ending(Stop.PROOF, infeasible=True)
    if polish:
        tree.root(_ROOT * search.limits.remaining_s)
        if search.is_done or not tree.left:
            return ending(search, not tree.left)
        part = tree.left[0]
    return answered(_Proof(search, process, tree.improvement, part).run)


@dataclass
class _Proof:
    """A back-end at work on a part that has every better plan."""

    search: Search
    process: BackendProcess
    improvement: Improvement
    part: Part

    def run(self) -> Ending:
        """Solve until the back-end's best is a plan, or nothing is left."""
        programme, excluded = Programme(self.part), list[list[int]]()
        while True:
            limits = self.search.limits
            hint = None if self.search.plan is None else self.part.scope.cluster.choices(self.search.plan)
            job = programme.job(excluded, hint)
            job |= {"workers": limits.workers, "seed": limits.seed, "gap": limits.gap}
            job["about"] = abs(self.search.objective or self.search.bound or 0.0)
            job |= {"time_limit_s": max(0.05, limits.work_until - time.monotonic())}
            refused: list[list[int]] = []
            final: Message = {}
            for final in self.process.messages(job, until=limits.work_until):
                if "updates" in final and not self._offer(programme.choices(final["updates"])):
                    refused.append(final["updates"])
                self._tighten(final.get("bound"))
            if final["status"] != "optimal" or not refused:
                return self._ending(final["status"])
            excluded += refused

    def _offer(self, choices: Choices) -> bool:
        return self.improvement.offer(choices, self.search)

    def _tighten(self, bound: float | None) -> None:
        """What is not in the part is no better than the plan known before."""
        if bound is not None:
            known = self.search.objective
            self.search.tighten_bound(bound if known is None else max(bound, known))

    def _ending(self, status: str) -> Ending:
        if status in ("optimal", "infeasible") and self.search.objective is not None:
            if status == "infeasible":
                self._tighten(self.search.objective)
            return Ending(Stop.GAP if self.search.is_done else Stop.WORK_LIMIT)
        if status == "infeasible":
            return Ending(Stop.PROOF, infeasible=True)
        if status in ("feasible", "unknown"):
            return Ending(Stop.GAP if self.search.is_done else Stop.TIME_LIMIT)
        raise BackendError(f"the back-end ended with {status}")
