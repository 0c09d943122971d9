"""The least bottleneck: thresholds that no plan keeps from below, plans from above.

First with nodes free to serve several stages, then with prices on those that would have to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgeplan.models.result import Stop
from edgeplan.solvers.layer_assignment.pipeline_at_size.clock import Clock
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Ints
from edgeplan.solvers.layer_assignment.pipeline_at_size.planner import Planner
from edgeplan.solvers.layer_assignment.pipeline_at_size.proofs.exact import Decider
from edgeplan.solvers.layer_assignment.pipeline_at_size.proofs.feasibility import none_left
from edgeplan.solvers.layer_assignment.pipeline_at_size.proofs.reuse import Reuse
from edgeplan.solvers.layer_assignment.pipeline_at_size.proofs.scarcity import Scarcity
from edgeplan.solvers.layer_assignment.search import Search
from edgeplan.solvers.search import Ending

_FIRST_STEP = 1e-3
_GROWTH = 1.6
_WIDEST_STEP = 1e9
_CLOSE = 5e-4
_ROUNDS = 15
_WIDTH = 30
_WORK = 30_000
_MOST_EFFORT = 64


@dataclass
class BottleneckSearch:
    """Bisects thresholds on the bottleneck.

    Parameters
    ----------
    planner
        Finds plans.
    reuse
        Chains in which every node may serve again.
    scarcity
        Prices that rule thresholds out.
    decider
        Enumeration at those prices.
    weight
        Weight of the bottleneck in the objective.
    """

    search: Search
    planner: Planner
    reuse: Reuse
    scarcity: Scarcity
    decider: Decider
    weight: float
    clock: Clock
    low_s: float = 0.0
    """No plan keeps this threshold."""
    missed_s: float = 0.0
    """Highest threshold at which the search has lately found neither proof nor plan."""
    effort: int = 1
    step: float = _FIRST_STEP
    """How far above the lowest possible threshold to look next, relatively."""

    def run(self) -> Ending:
        """Search until the gap is closed or no plan is left; raises when the time is up."""
        self._prove(self.reuse.highest_impossible_s)
        if self.reuse.highest_impossible_s == 0:
            self._probe(self.reuse.lowest_possible_s)
        while not self.search.is_done:
            if self.low_s == math.inf:
                return none_left()
            self._probe(self._next_s())
        return Ending(Stop.GAP)

    def _next_s(self) -> float:
        """Threshold to look at: a little more each time till one is missed, then between it and the plan."""
        begun_s, next_s = max(self.low_s, self.missed_s), self.reuse.lowest_possible_s * (1.0 + self.step)
        if self.high_s == math.inf or (self.missed_s == 0.0 and next_s < self.high_s):
            self.step *= _GROWTH
            return next_s if self.step < _WIDEST_STEP else math.inf
        if self.high_s <= (1.0 + max(_CLOSE, self.search.limits.gap / 2)) * begun_s:
            self.missed_s, self.effort, begun_s = 0.0, min(2 * self.effort, _MOST_EFFORT), self.low_s
        return math.sqrt(begun_s * self.high_s)

    @property
    def high_s(self) -> float:
        """Bottleneck of the best plan."""
        return math.inf if self.search.objective is None else self.search.objective / self.weight

    def _probe(self, threshold_s: float) -> None:
        """Rule a threshold out or find a plan within it, or else remember that neither worked."""
        self.clock.check()
        behind = self.reuse.stages_behind(threshold_s)
        impossible = behind[0] > len(behind)
        for _ in range(1 + self.effort):
            if impossible or self.scarcity.examine(threshold_s, behind, rounds=_ROUNDS):
                self._prove(threshold_s)
                return
            if self._plan(threshold_s, behind) or self._decide(threshold_s, behind):
                return
        if threshold_s < math.inf:
            self.missed_s = max(self.missed_s, threshold_s)

    def _decide(self, threshold_s: float, stages_behind: Ints) -> bool:
        """Try to decide the threshold by enumeration; whether that worked."""
        decision = self.decider.decide(threshold_s, stages_behind, work=_WORK * self.effort**2)
        if decision.is_impossible:
            self._prove(threshold_s)
            return True
        if decision.chain is None or self.scarcity.ground is not self.planner.real:
            return False
        return self.planner.offer(decision.chain)

    def _plan(self, threshold_s: float, stages_behind: Ints) -> bool:
        prices, ground = self.scarcity.ledger.prices, self.scarcity.ground
        by_class = prices.classes[ground.alike.class_of[self.planner.real.classes.index]]
        width = _WIDTH * self.effort
        return self.planner.attempt(threshold_s, stages_behind, by_class, prices.per_stage, width=width)

    def _prove(self, threshold_s: float) -> None:
        self.low_s = max(self.low_s, threshold_s)
        if self.low_s < math.inf:
            self.search.tighten_bound(self.weight * self.low_s)
