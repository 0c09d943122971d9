"""What plans within a threshold need at least, each node serving once, up to mixtures of chains.

Prices on overused nodes: if some make every chain dearer than all nodes together, no plan keeps the
threshold; and what the cheapest chain costs beyond its prices, every plan costs. Overused nodes leave the
front, and those that they dominated come forward.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.candidates import Candidates
from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.priced import Chain, Charges, Priced, cheapest
from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.track import Track
from edgeplan.solvers.layer_assignment.pipeline_at_size.clock import Clock
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.ground import Ground
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Ints
from edgeplan.solvers.layer_assignment.pipeline_at_size.proofs.ledger import Ledger, Prices, Use

CERTAIN = 1e-9
_SLACK = -0.1
_SETTLED = 1e-3
_LEAST_PRICE = 1e-9


@dataclass
class Scarcity:
    """Prices and chains, kept from one threshold to the next.

    Parameters
    ----------
    ground
        Classes of nodes.
    ledger
        Chains and prices.
    """

    ground: Ground
    ledger: Ledger
    clock: Clock

    def examine(self, threshold_s: float, stages_behind: Ints, *, rounds: int) -> bool:
        """Say whether prices rule the threshold out, with proof; False where they do not yet.

        Another call goes on from the prices and chains found.
        """
        ledger, course = self.ledger, _Course(self, threshold_s, stages_behind)
        ledger.reprice(threshold_s)
        for _ in range(rounds):
            found = course.cheapest(replace(ledger.prices, per_cost=0.0))
            if not found.price - ledger.prices.owed <= CERTAIN:
                return True
            course.enter(found)
            if ledger.reprice(threshold_s) <= _SLACK:
                break
        return False

    def least_total(self, threshold_s: float, stages_behind: Ints, *, rounds: int) -> tuple[float, Prices]:
        """What stages and links of any plan within the threshold add up to at least, with proof.

        Returns
        -------
        tuple[float, Prices]
            The bound, inf where there is no plan, and the prices per unit of cost that prove it.
        """
        course = _Course(self, threshold_s, stages_behind)
        nobody = np.zeros(len(self.ground.classes))
        best, prices = -math.inf, Prices(nobody, 0.0, 1.0, 0.0)
        trial = prices
        for _ in range(rounds):
            found = course.cheapest(trial)
            bound = found.price - trial.owed
            if bound > best:
                best, prices = bound, trial
            if not math.isfinite(best):
                break
            course.enter(found)
            if self.ledger.reprice(threshold_s, max(best, 1e-300)) <= _SETTLED:
                break
            trial = _per_cost(self.ledger.prices)
        return best, prices

    def track(self, threshold_s: float, stages_behind: Ints) -> tuple[Ints, Track]:
        """Classes that chains within the threshold need, and their figures."""
        priced = self.ledger.priced
        rows = self.ground.rows(self.ground.live(threshold_s), priced)
        assert rows is not None
        nodes = self.ground.classes.take(rows)
        alone = (priced | self.ground.rigid)[rows] & (nodes.copies == 1)
        candidates = Candidates(self.ground.field, nodes, alone, self.ground.is_ordered)
        return rows, Track(candidates, threshold_s, stages_behind, self.clock)


def _per_cost(prices: Prices) -> Prices:
    """Return prices for which a unit of cost is one; a chain of no cost at all would break them."""
    unit = max(prices.per_cost, _LEAST_PRICE)
    return Prices(prices.classes / unit, prices.per_stage / unit, 1.0, prices.owed / unit)


class _Course:
    """One run of pricing within a threshold; the candidates change when a class gets its first price."""

    def __init__(self, scarcity: Scarcity, threshold_s: float, stages_behind: Ints) -> None:
        self.scarcity, self.threshold_s, self.stages_behind = scarcity, threshold_s, stages_behind
        self._look()

    def _look(self) -> None:
        ground, terms = self.scarcity.ground, self.scarcity.ground.terms
        self.rows, self.track = self.scarcity.track(self.threshold_s, self.stages_behind)
        nodes = self.track.candidates.nodes
        self.unpriced = Charges(np.zeros(len(nodes)))
        if terms.has_sum:
            links = terms.of_links(ground.field.links, nodes, nodes)
            self.unpriced = Charges(self.unpriced.nodes, None, terms.of_compute(nodes), links)

    def cheapest(self, prices: Prices) -> Priced:
        of_nodes = prices.classes[self.rows] + prices.per_stage
        if prices.per_cost == 0.0:
            return cheapest(self.track, Charges(of_nodes))
        return cheapest(self.track, replace(self.unpriced, nodes=of_nodes))

    def enter(self, found: Priced) -> None:
        chain = found.chain()
        classes = self.rows[[row for _, _, row in chain]]
        use = Use(classes, self._bottleneck_s(chain), self.unpriced.of_chain(self.track, chain))
        if self.scarcity.ledger.add(use):
            self._look()

    def _bottleneck_s(self, chain: Chain) -> float:
        candidates = self.track.candidates
        runs, nodes, pairs = candidates.field.runs, candidates.nodes, candidates.pairs
        times = [float(runs.compute_s(nodes.take([row]), start, end)[0]) for start, end, row in chain]
        for (_, cut, row), (_, _, follower) in pairwise(chain):
            times.append(float(pairs.of(row).seconds(runs.cut_bytes[cut])[follower]))
        return max(times)
