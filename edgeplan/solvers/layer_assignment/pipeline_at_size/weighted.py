"""Objectives with sums besides the bottleneck: thresholds split the plans, each part has a bound.

A plan with its bottleneck between two thresholds costs at least the bottleneck's weight times the lower one
and what stages and links add up to at least within the upper one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from edgeplan.models.result import Stop
from edgeplan.solvers.layer_assignment.pipeline_at_size.clock import Clock
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.terms import Terms
from edgeplan.solvers.layer_assignment.pipeline_at_size.planner import Planner
from edgeplan.solvers.layer_assignment.pipeline_at_size.proofs.feasibility import none_left
from edgeplan.solvers.layer_assignment.pipeline_at_size.proofs.ledger import Prices
from edgeplan.solvers.layer_assignment.pipeline_at_size.proofs.reuse import Reuse
from edgeplan.solvers.layer_assignment.pipeline_at_size.proofs.scarcity import Scarcity
from edgeplan.solvers.layer_assignment.search import Search
from edgeplan.solvers.search import Ending

_ROUNDS = 12
_WIDTH = 20
_SHARE = 0.25


@dataclass
class Part:
    """Plans with a bottleneck above one threshold and within another.

    Parameters
    ----------
    above_s, within_s
        The thresholds.
    total
        What stages and links within the upper threshold add up to at least.
    prices
        Prices that prove it.
    effort
        How often it was looked at.
    """

    above_s: float
    within_s: float
    total: float
    prices: Prices
    effort: int = 1


@dataclass
class WeightedSearch:
    """Splits the part with the lowest bound.

    Parameters
    ----------
    terms
        The objective.
    """

    search: Search
    planner: Planner
    reuse: Reuse
    scarcity: Scarcity
    terms: Terms
    clock: Clock
    parts: list[Part] = field(default_factory=list)

    def run(self) -> Ending:
        """Search until the gap is closed or no part is left; raises when the time is up."""
        total, prices = self._least_total(math.inf, 1)
        self.parts = [Part(self.reuse.highest_impossible_s, math.inf, total, prices)]
        self._tighten_bound()
        while not self.search.is_done:
            self.clock.check()
            part = min(self.parts, key=self._bound)
            if self._bound(part) == math.inf:
                return none_left()
            self._plan(part)
            middle_s = self._middle_s(part)
            if self._is_wide(part) and part.above_s < middle_s < part.within_s:
                self._split(part, middle_s)
            else:
                self._deepen(part)
            self._tighten_bound()
        return Ending(Stop.GAP)

    def _is_wide(self, part: Part) -> bool:
        """Whether the thresholds, and not the prices, keep the bound from the best plan."""
        if self.search.objective is None:
            return self.terms.bottleneck > 0
        missing = self.search.objective - self._bound(part)
        return self.terms.bottleneck * (part.within_s - part.above_s) > _SHARE * missing

    def _bound(self, part: Part) -> float:
        return self.terms.bottleneck * part.above_s + part.total

    def _tighten_bound(self) -> None:
        bound = min(self._bound(part) for part in self.parts)
        if bound < math.inf:
            self.search.tighten_bound(max(0.0, bound))

    def _middle_s(self, part: Part) -> float:
        """Where to split: in the middle, or where a plan of the last part cannot be better any more."""
        low_s = max(part.above_s, 1e-12)
        if part.within_s < math.inf:
            return math.sqrt(low_s * part.within_s)
        if self.search.objective is None:
            return 2.0 * low_s
        highest_s = (self.search.objective - part.total) / max(self.terms.bottleneck, 1e-300)
        return math.sqrt(low_s * max(highest_s, low_s)) if highest_s > 4 * low_s else max(highest_s, low_s)

    def _split(self, part: Part, middle_s: float) -> None:
        total, prices = self._least_total(middle_s, part.effort)
        lower = Part(part.above_s, middle_s, max(total, part.total), prices, part.effort)
        part.above_s = middle_s
        self.parts.append(lower)

    def _deepen(self, part: Part) -> None:
        part.effort *= 2
        total, prices = self._least_total(part.within_s, part.effort)
        if total > part.total:
            part.total, part.prices = total, prices

    def _least_total(self, threshold_s: float, effort: int) -> tuple[float, Prices]:
        behind = self.reuse.stages_behind(threshold_s)
        return self.scarcity.least_total(threshold_s, behind, rounds=_ROUNDS * effort)

    def _plan(self, part: Part) -> None:
        if math.isfinite(part.total):
            ground = self.scarcity.ground
            by_class = part.prices.classes[ground.alike.class_of[self.planner.real.classes.index]]
            behind = self.reuse.stages_behind(part.within_s)
            self.planner.attempt_sum(
                part.within_s, behind, by_class, part.prices.per_stage, part.total, width=_WIDTH * part.effort
            )
