"""The heuristic: a narrow beam for a plan at once, a wide one, descent, and descent from shaken routes.

Where the bottleneck counts, beams in the spans of a narrowing take the place of the shaking.
"""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass
from typing import ClassVar

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Result, SolverInfo, Stop
from edgeplan.solvers.layer_assignment.bounds.relaxation import Relaxation
from edgeplan.solvers.layer_assignment.bounds.spans import Narrowing
from edgeplan.solvers.layer_assignment.bounds.walks import OutOfTimeError
from edgeplan.solvers.layer_assignment.candidates import candidates
from edgeplan.solvers.layer_assignment.heuristic.construction import BeamSearch
from edgeplan.solvers.layer_assignment.heuristic.improvement import LocalSearch
from edgeplan.solvers.layer_assignment.heuristic.priced_beams import priced_beams
from edgeplan.solvers.layer_assignment.search import Search, run_search
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs, Route
from edgeplan.solvers.layer_assignment.steps.route import IMPOSSIBLE, RouteCost, Value
from edgeplan.solvers.layer_assignment.steps.stage_table import Floats
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, OnIncumbent

_NARROW = 3  # of the first beam, whose plan is ready at once


@dataclass(frozen=True)
class Effort:
    """How much a heuristic does.

    Parameters
    ----------
    width
        Partial plans kept at a position by the second beam.
    num_descents
        Routes of the beams to improve.
    num_shakes
        Random restarts around the best route.
    """

    width: int
    num_descents: int
    num_shakes: int


FULL = Effort(width=40, num_descents=6, num_shakes=30)
QUICK = Effort(width=10, num_descents=2, num_shakes=0)


def construct_and_improve(
    arcs: Arcs,
    relaxation: Relaxation,
    search: Search,
    *,
    until: float,
    effort: Effort,
) -> None:
    """Offer the best routes found to the search.

    Parameters
    ----------
    until
        Monotonic time at which to end; a first route is completed all the same.
    effort
        How much of it to do.
    """
    cost = RouteCost(arcs)
    descent = LocalSearch(cost)
    found = _beam(cost, relaxation, search, relaxation.no_multipliers(), width=_NARROW)
    for prices in relaxation.sparing() if search.plan is None else ():
        found += _beam(cost, relaxation, search, prices, width=QUICK.width)
    if time.monotonic() < until and effort.width > _NARROW:
        none = relaxation.no_multipliers()
        found += _beam(cost, relaxation, search, none, width=effort.width, until=until)
    found.sort()
    best: tuple[Value, Route] | None = None
    for _, route in found[: effort.num_descents]:
        improved = descent.improve(route, until=until)
        _offer(cost, search, *improved)
        best = improved if best is None else min(best, improved)
    if best is not None:
        _shake(
            descent,
            search,
            best,
            random.Random(search.limits.seed),
            until=until,
            num_shakes=effort.num_shakes,
        )


def _beam(
    cost: RouteCost,
    relaxation: Relaxation,
    search: Search,
    multipliers: Floats,
    *,
    width: int,
    until: float = math.inf,
) -> list[tuple[Value, Route]]:
    """Possible routes of a beam search, best first; the best is offered."""
    routes = BeamSearch(cost.arcs, relaxation, width, multipliers).routes(until=until)
    found = sorted((cost.value(route), route) for route in routes)
    found = [pair for pair in found if pair[0] < IMPOSSIBLE]
    if found:
        _offer(cost, search, *found[0])
    return found


def _offer(cost: RouteCost, search: Search, value: Value, route: Route) -> None:
    """Offer a route that keeps all limits and is better than what is known."""
    if value[0] == 0 and (search.objective is None or value[1] < search.objective):
        search.offer(cost.to_plan(route), claimed=None if cost.arcs.free_transfers else value[1])


def _shake(
    descent: LocalSearch,
    search: Search,
    best: tuple[Value, Route],
    rng: random.Random,
    *,
    until: float,
    num_shakes: int,
) -> None:
    """Swap and replace some nodes of the best route at random and descend again."""
    for _ in range(num_shakes):
        if time.monotonic() > until:
            return
        shaken = _shaken(descent.cost, best[1], rng)
        if shaken is None:
            continue
        candidate = descent.improve(shaken, until=until)
        if candidate < best:
            best = candidate
            _offer(descent.cost, search, *best)


def _shaken(cost: RouteCost, route: Route, rng: random.Random) -> Route | None:
    """Put other nodes on some stages; None if no attempt gave a possible route."""
    for _ in range(20):
        columns = [column for _, _, column in route]
        pool = [*columns, *(c for c in range(cost.arcs.num_nodes) if c not in columns)]
        for place in rng.sample(range(len(columns)), k=min(len(columns), rng.randint(1, 3))):
            other = rng.randrange(len(pool))
            pool[place], pool[other] = pool[other], pool[place]
        shaken = tuple((start, end, column) for (start, end, _), column in zip(route, pool, strict=False))
        if shaken != route and cost.value(shaken) < IMPOSSIBLE:
            return shaken
    return None


def _search_spans(arcs: Arcs, search: Search, until: float) -> None:
    """Search where the relaxations of a narrowing lead; what they prove is not told."""

    def known() -> float:
        assert search.objective is not None
        return search.objective

    try:
        Narrowing(arcs, known, until, priced_beams(arcs, search, until)).run(until=until)
    except OutOfTimeError:
        return


@dataclass(frozen=True)
class Heuristic:
    """Finds good plans fast and proves nothing."""

    name: ClassVar[str] = "heuristic"

    def solve(
        self, problem: LayerAssignment, limits: SolveLimits, on_incumbent: OnIncumbent | None = None
    ) -> Result:
        """Return the best plan found, with a null bound."""
        info = SolverInfo(name=self.name, version="1", seed=limits.seed, workers=1)
        return run_search(self._body, problem, limits, info, on_incumbent)

    def _body(self, search: Search) -> Ending:
        arcs = candidates(search.problem).arcs
        if not arcs.num_nodes:
            return Ending(Stop.WORK_LIMIT, detail="no node may serve a stage")
        until = search.limits.share(0.9, most_s=search.limits.time_limit_s)
        effort = FULL if arcs.peak_weight == 0 else QUICK
        construct_and_improve(arcs, Relaxation(arcs), search, until=until, effort=effort)
        if arcs.peak_weight > 0 and search.plan is not None:
            _search_spans(arcs, search, until)
        stop = Stop.TIME_LIMIT if time.monotonic() >= until else Stop.WORK_LIMIT
        return Ending(stop)
