"""The search at size: beam for plans, branches by closing class for the bound, best first."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from functools import cached_property

from edgeplan.models.result import Stop
from edgeplan.solvers.layer_assignment.at_size.alone import Alone
from edgeplan.solvers.layer_assignment.at_size.beam import Beam
from edgeplan.solvers.layer_assignment.at_size.bottleneck import least_bottleneck_s
from edgeplan.solvers.layer_assignment.at_size.bounding import ROUNDING, Bounding, Branch
from edgeplan.solvers.layer_assignment.at_size.finishing import finish
from edgeplan.solvers.layer_assignment.at_size.groups.columns import Columns
from edgeplan.solvers.layer_assignment.at_size.groups.partition import first_columns
from edgeplan.solvers.layer_assignment.at_size.groups.work import Work
from edgeplan.solvers.layer_assignment.at_size.walks import Closing, Walks
from edgeplan.solvers.layer_assignment.bounds.relaxation import Relaxation
from edgeplan.solvers.layer_assignment.candidates import candidates
from edgeplan.solvers.layer_assignment.heuristic.heuristic import FULL, construct_and_improve
from edgeplan.solvers.layer_assignment.search import Search
from edgeplan.solvers.layer_assignment.steps.stage_table import Floats
from edgeplan.solvers.search import Ending

# Gaps at which to aim in turn; the work of one rung prepares the next.
_RUNGS = (0.1, 0.05, 0.03, 0.02, 0.01, 0.007, 0.005, 0.003, 0.002, 0.001, 5e-4, 2e-4, 1e-4, 1e-5, 1e-6)
_WIDTH = 12
_NARROW = 2  # of the first beam, whose plan is ready at once
_BEAM_EVERY = 4
_MAX_STUCK = 3
_GENEROSITY = (1.0, 1.1, 1.3, 2.0)  # times the price of samples: walks at the price itself just miss the need


@dataclass
class SerialSearch:
    """Plans and bounds of one serial instance with very many nodes.

    Parameters
    ----------
    search
        Gets plans and bounds as they come.
    until
        Monotonic time at which to end.
    """

    search: Search
    until: float
    branches: list[Branch] = field(default_factory=list)

    @cached_property
    def work(self) -> Work:
        """Runs and kinds of nodes."""
        return Work(self.search.problem)

    @cached_property
    def bounding(self) -> Bounding:
        """Columns and what raises bounds over them."""
        return Bounding(self.work, self.until)

    @cached_property
    def columns(self) -> Columns:
        """The first partition of the kinds."""
        return first_columns(self.work)

    @cached_property
    def alone(self) -> Alone:
        """Plans of one stage in peer mode."""
        return Alone(self.work)

    def run(self) -> Ending:
        """Search until the gap is reached, time is over or nothing more can be raised."""
        for plan in self.alone.plans(_WIDTH):
            self.search.offer(plan)
        self.branches = [self.bounding.first_branch(self.columns)]
        self._construct(self.branches[0], _NARROW, math.inf)
        self._construct(self.branches[0], _WIDTH, self.until)
        if self.search.objective is None or self._bottleneck_cost > 0:
            self._construct_within_limits()
        num_rounds = num_stuck = 0
        while time.monotonic() < self.until and num_stuck < _MAX_STUCK:
            branch = min(self.branches, key=lambda one: one.bound)
            num_stuck = 0 if self._advance(branch) else num_stuck + 1
            num_rounds += 1
            if num_rounds % _BEAM_EVERY == 0:
                self._construct(branch, _WIDTH, self.until)
            self._report()
            if self.search.is_done:
                return Ending(Stop.GAP)
            if not math.isfinite(self._lowest):
                return Ending(Stop.PROOF, infeasible=True)
        if num_stuck < _MAX_STUCK or self.search.objective is None:
            return Ending(Stop.TIME_LIMIT if num_stuck < _MAX_STUCK else Stop.WORK_LIMIT)
        upper = self.search.objective - self._bottleneck_cost
        return finish(self.bounding, self.branches, self.alone, self.search, upper)

    @property
    def _lowest(self) -> float:
        """Bound on every plan but for its bottleneck."""
        return min([*(branch.bound for branch in self.branches), self.alone.cost])

    @cached_property
    def _bottleneck_cost(self) -> float:
        weight = self.search.problem.instance.objective.bottleneck_s
        return weight * least_bottleneck_s(self.columns) if weight > 0 else 0.0

    def _report(self) -> None:
        """Raise the proven bound."""
        bound = self._lowest + self._bottleneck_cost
        if math.isfinite(bound):
            bound = max(0.0, bound - ROUNDING * abs(bound))
            objective = self.search.objective
            self.search.tighten_bound(bound if objective is None else min(bound, objective))

    def _aim(self, branch: Branch) -> tuple[float, float]:
        """Bound to aim at, and what a plan at most as dear as the best one costs without its bottleneck."""
        if self.search.objective is None:
            raised = 1.5 * branch.bound if branch.bound > 0 else math.inf
            return raised, raised
        upper = self.search.objective - self._bottleneck_cost
        gap = (upper - branch.bound) / max(abs(upper), 1e-300)
        rungs = sorted({*_RUNGS, self.search.limits.gap * 0.999}, reverse=True)
        return upper * (1 - next((rung for rung in rungs if rung < 0.999 * gap), 0.0)), upper

    def _advance(self, branch: Branch) -> bool:
        """Raise the lowest branch or split it; False if neither could be done."""
        target, upper = self._aim(branch)
        before, num_columns = branch.bound, branch.columns.num_columns
        split_at = self.bounding.raise_branch(branch, target, upper)
        if branch.bound >= target:
            return True
        if split_at is not None:
            self.branches.remove(branch)
            self.branches += branch.halves(split_at)
            return True
        branch.scale = 0.5
        return branch.bound > before * (1 + 1e-6) or branch.columns.num_columns > num_columns

    def _construct_within_limits(self) -> None:
        """Offer plans of the heuristic, which knows every limit, over some promising nodes."""
        arcs = candidates(self.search.problem).arcs
        if arcs.num_nodes:
            until = self.search.limits.share(0.3, most_s=10.0)
            construct_and_improve(arcs, Relaxation(arcs), self.search, until=until, effort=FULL)

    def _construct(self, branch: Branch, width: int, until: float) -> None:
        """Offer plans of a beam led by the multipliers of a branch."""
        bounding = self.bounding
        walks, closing = bounding.walks(branch), bounding.closing(branch)
        for generosity in _GENEROSITY if self.search.problem.instance.limits.min_samples else (1.0,):
            pays, _ = bounding.pays(replace(branch, sample_pays=generosity * branch.sample_pays))
            self._offer_beam(walks, closing, pays, width, until)

    def _offer_beam(self, walks: Walks, closing: Closing, pays: Floats, width: int, until: float) -> None:
        completion = walks.completion(pays, closing)
        for plan in Beam(walks, pays, width).plans(closing, completion, until=until):
            self.search.offer(plan)
