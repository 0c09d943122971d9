"""From prices to plans: a pool of real nodes, a beam search over it, and what to do when limits refuse."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from edgeplan.models.layer_assignment import Plan
from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.beam import Beam
from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.candidates import Candidates
from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.priced import Chain, Charges, cheapest
from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.supply import run_prices
from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.track import Track
from edgeplan.solvers.layer_assignment.pipeline_at_size.clock import Clock
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.field import Stages
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.ground import Ground
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Bools, Floats, Ints, NodeColumns
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.terms import Terms
from edgeplan.solvers.layer_assignment.search import Search

POOL = 700
_BASE_PRICE = 0.1
_NOISE = 0.2
_OFFERED = 3
_PRESSURE = 4.0
_HIGHEST_PRESSURE = 4096.0
_RETRIES = 8
_SMALL = 0.01
_FASTER = 1.5


@dataclass
class Planner:
    """Looks for plans of one instance.

    Parameters
    ----------
    search
        Judges the plans.
    real
        The nodes as they are.
    pressure
        By limit, how dear it is made to come near it.
    """

    search: Search
    real: Ground
    clock: Clock
    rng: np.random.Generator
    pressure: dict[str, float] = field(default_factory=dict)
    per_stage: float = 0.0
    """What any stage costs more, so that plans have the number of stages asked for."""
    shift: float = -0.05

    def attempt(
        self, threshold_s: float, stages_behind: Ints, prices: Floats, per_stage: float, *, width: int
    ) -> bool:
        """Look for a plan within a threshold.

        Parameters
        ----------
        prices
            Price of a stage by class of `real`; their sizes matter among each other alone.
        per_stage
            Price of any stage on the same scale.

        Returns
        -------
        bool
            Whether the problem accepts one.
        """
        live = self.real.live(threshold_s)
        rows = self.pool(live, prices > 0)
        if not len(rows):
            return False
        scale = _scale(prices)
        runs = run_prices(self.real, live, threshold_s, self.rng)
        nodes = _BASE_PRICE * self._noise(len(rows)) + scale * (prices[rows] + per_stage)
        return self.walk(threshold_s, stages_behind, rows, nodes, runs, width=width)

    def attempt_sum(
        self,
        threshold_s: float,
        stages_behind: Ints,
        prices: Floats,
        per_stage: float,
        total: float,
        *,
        width: int,
    ) -> bool:
        """Look for a plan within a threshold whose stages and links add up to little.

        Parameters
        ----------
        prices, per_stage
            In units of the objective.
        total
            What stages and links may add up to, roughly.
        """
        rows = self.pool(self.real.live(threshold_s), prices > 0)
        if not len(rows):
            return False
        least = _SMALL * max(total, 0.0) / self.real.field.runs.num_layers
        nodes = prices[rows] + per_stage + least * self._noise(len(rows))
        return self.walk(threshold_s, stages_behind, rows, nodes, None, width=width, terms=self.real.terms)

    def walk(
        self,
        threshold_s: float,
        stages_behind: Ints,
        rows: Ints,
        prices: Floats,
        runs: Floats | None,
        *,
        width: int,
        terms: Terms | None = None,
    ) -> bool:
        """Search with a beam among these classes and offer the best plans; whether one is accepted."""
        nodes = self.real.classes.take(rows)
        candidates = Candidates(self.real.field, nodes, nodes.copies == 1, self.real.is_ordered)
        track = Track(candidates, threshold_s, stages_behind, self.clock)
        for _ in range(_RETRIES):
            charges = self._charges(nodes, prices + self.per_stage, runs, terms)
            chains = Beam(track, charges, cheapest(track, charges), width).plans()
            if not chains:
                return False
            fewest, most = self.real.field.num_stages
            fitting = [chain for chain in chains if fewest <= len(chain) <= most]
            if fitting:
                accepted = [self.offer(_of_classes(chain, rows)) for chain in fitting[:_OFFERED]]
                return any(accepted)
            self._shift(len(chains[0]) < fewest)
        return False

    def _shift(self, too_few: bool) -> None:
        """Make stages cheaper or dearer; half as much as before when the last shift went too far."""
        if too_few == (self.shift > 0):
            self.shift = -self.shift / 2
        else:
            self.shift *= _FASTER
        self.per_stage += self.shift

    def _charges(
        self, nodes: NodeColumns, prices: Floats, runs: Floats | None, terms: Terms | None
    ) -> Charges:
        """Prices and, where the objective or limits that refused plans ask for it, seconds and links."""
        limits, num_micro_batches = (
            self.search.problem.instance.limits,
            self.search.problem.instance.micro_batches,
        )
        if "min_samples" in self.pressure:
            prices = prices - self.pressure["min_samples"] * nodes.samples / limits.min_samples
        time_s, energy_j, price = (
            self.pressure.get(rule, 0.0) / max(limit or 0.0, 1e-9)
            for rule, limit in (
                ("deadline_s", limits.deadline_s),
                ("budget_energy_j", limits.budget_energy_j),
                ("budget_price", limits.budget_price),
            )
        )
        total = Terms.weighted(num_micro_batches, time_s, energy_j, price, 0.0).plus(terms)
        if not total.has_sum:
            return Charges(prices, runs)
        links = total.of_links(self.real.field.links, nodes, nodes)
        return Charges(prices, runs, total.of_compute(nodes), links)

    def pool(self, live: Bools, priced: Bools) -> Ints:
        """Live classes that a plan may need: the priced, the front, and fronts behind it."""
        chosen = np.zeros(len(self.real.classes), dtype=np.bool_)
        if self.real.is_ordered:
            return self._in_order(live)
        layer = self.real.rows(live, priced)
        while layer is not None and len(layer):
            room = max(0, POOL - int(chosen.sum()))
            if not chosen.any() or room >= len(layer):
                chosen[layer] = True
            else:
                chosen[self.rng.choice(layer, room, replace=False)] = True
                break
            layer = self.real.rows(live & ~chosen, np.zeros_like(priced))
        if self.search.problem.instance.limits.min_samples:
            rich = np.flatnonzero(live)
            chosen[rich[np.argsort(-self.real.classes.samples[rich], kind="stable")[: POOL // 4]]] = True
        return np.flatnonzero(chosen)

    def _in_order(self, live: Bools) -> Ints:
        """Nodes of a given order: fronts of it, as if the order did not matter, and some by chance."""
        free = Ground(self.real.field, self.real.terms, self.real.alike, self.real.rigid, self.real.weak)
        chosen, nobody = np.zeros_like(live), np.zeros_like(live)
        while (live & ~chosen).any() and chosen.sum() < POOL:
            chosen[free.rows(live & ~chosen, nobody)] = True
        rest = np.flatnonzero(live & ~chosen)
        chosen[self.rng.choice(rest, min(len(rest), POOL // 2), replace=False)] = True
        return np.flatnonzero(chosen)

    def _noise(self, count: int) -> Floats:
        return 1.0 + _NOISE * self.rng.random(count)

    def offer(self, chain: Chain) -> bool:
        """Offer a chain of classes as a plan; whether the problem accepts it."""
        plan = self.real.field.plan(self._stages(chain))
        if self.search.offer(plan):
            return True
        self._press(plan)
        return False

    def _press(self, plan: Plan) -> None:
        """Make the limits that refuse a plan dearer."""
        for violation in self.search.problem.violations(plan):
            if violation.rule in ("min_samples", "deadline_s", "budget_price", "budget_energy_j"):
                pressure = _PRESSURE * self.pressure.get(violation.rule, 0.25)
                self.pressure[violation.rule] = min(pressure, _HIGHEST_PRESSURE)

    def _stages(self, chain: Chain) -> Stages:
        """Give each stage a node of its class, every node once."""
        taken: dict[int, int] = {}
        stages: Stages = []
        for start, end, of_class in chain:
            stages.append((start, end, int(self._members(of_class)[taken.get(of_class, 0)])))
            taken[of_class] = taken.get(of_class, 0) + 1
        return stages

    def _members(self, of_class: int) -> Ints:
        if self.real.classes.copies[of_class] == 1:
            return self.real.classes.index[[of_class]]
        begin = self._begins[of_class]
        return self._by_class[begin : begin + int(self.real.classes.copies[of_class])]

    @cached_property
    def _by_class(self) -> Ints:
        return np.argsort(self.real.alike.class_of, kind="stable")

    @cached_property
    def _begins(self) -> Ints:
        return np.concatenate([[0], np.cumsum(self.real.classes.copies)])


def _scale(prices: Floats) -> float:
    """What makes the typical price one."""
    total = float(prices.sum())
    return total / float(prices @ prices) if total > 0 else 0.0


def _of_classes(chain: Chain, rows: Ints) -> Chain:
    return [(start, end, int(rows[row])) for start, end, row in chain]
