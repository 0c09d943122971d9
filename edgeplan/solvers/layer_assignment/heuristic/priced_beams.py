"""Plans from prices: beams within the spans that a narrowing looks at, guided by its multipliers.

A node that many walks want is dear, so a beam spends it where it saves most. Where the relaxation of a
span is satisfied with any prices, those of the last span that could not be satisfied are taken: they
tell best which nodes are scarce.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from edgeplan.solvers.layer_assignment.bounds.relaxation import Ascent, Relaxation
from edgeplan.solvers.layer_assignment.heuristic.construction import BeamSearch
from edgeplan.solvers.layer_assignment.heuristic.improvement import LocalSearch
from edgeplan.solvers.layer_assignment.search import Search
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs
from edgeplan.solvers.layer_assignment.steps.route import RouteCost
from edgeplan.solvers.layer_assignment.steps.stage_table import Floats

_WIDTH = 10
_DESCENT_S = 0.3


def priced_beams(arcs: Arcs, search: Search, until: float) -> PricedBeams | None:
    """Return the search for better plans where the bottleneck counts; elsewhere descents are as good."""
    return PricedBeams(RouteCost(arcs), search, until) if arcs.peak_weight > 0 else None


@dataclass
class PricedBeams:
    """Looks for a better plan with every relaxation and its multipliers.

    Parameters
    ----------
    cost
        Values routes.
    search
        Gets plans as they come.
    until
        Monotonic time from which on nothing is done.
    """

    cost: RouteCost
    search: Search
    until: float
    _scarce: Floats | None = field(default=None, init=False)

    def __call__(self, relaxation: Relaxation, ascent: Ascent) -> None:
        """Search the span of the relaxation, unless it holds no better plan."""
        multipliers = ascent.multipliers
        if multipliers.any():
            self._scarce = multipliers
        elif self._scarce is not None:
            multipliers = self._scarce
        known = self.search.objective
        if time.monotonic() > self.until or (known is not None and relaxation.bound(ascent.walk) >= known):
            return
        routes = BeamSearch(self.cost.arcs, relaxation, _WIDTH, multipliers).routes(until=self.until)
        values = [(self.cost.value(route), route) for route in routes]
        if not values:
            return
        value, route = min(values)
        if value[0] == 0 and (known is None or value[1] < known):
            until = min(self.until, time.monotonic() + _DESCENT_S)
            value, route = LocalSearch(self.cost).improve(route, until=until)
            self.search.offer(self.cost.to_plan(route), claimed=value[1])
