"""Deciding a threshold: label setting that tells apart the nodes that chains were seen to overuse.

Decremental state space relaxation (Righini and Salani, Networks 51, 2008): at first no node is told apart;
those that the chain found uses too often are, until a chain is a plan or there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.counts import Counts
from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.labels import (
    Copies,
    LabelSetting,
    TooManyLabelsError,
)
from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.priced import Chain, Charges, cheapest
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Bools, Ints
from edgeplan.solvers.layer_assignment.pipeline_at_size.proofs.scarcity import CERTAIN, Scarcity

_COMPARED = 100
_FEWEST_LABELS = 20


@dataclass(frozen=True)
class Decision:
    """What is known of a threshold.

    Parameters
    ----------
    is_impossible
        Whether no plan keeps it, with proof.
    chain
        Stages as (start, end, class of the ground), no class used more often than it has copies; or None.
    """

    is_impossible: bool
    chain: Chain | None = None


UNDECIDED = Decision(is_impossible=False)


@dataclass(frozen=True)
class Decider:
    """Label setting at the prices of scarcity.

    Parameters
    ----------
    scarcity
        Prices, and the classes that have one.
    counts
        States of the number of stages.
    """

    scarcity: Scarcity
    counts: Counts

    def decide(self, threshold_s: float, stages_behind: Ints, *, work: int) -> Decision:
        """Rule a threshold out or find a chain that uses no class too often.

        Parameters
        ----------
        work
            Labels of a cut times candidates beyond which to give up.
        """
        told_apart = np.zeros(len(self.scarcity.ledger.priced), dtype=np.bool_)
        try:
            while True:
                chain = self._chain(threshold_s, stages_behind, told_apart, work)
                if chain is None:
                    return Decision(is_impossible=True)
                overused = self._overused(chain)
                if not len(overused):
                    return Decision(is_impossible=False, chain=chain)
                told_apart[overused] = self.scarcity.ledger.priced[overused] = True
        except TooManyLabelsError:
            return UNDECIDED

    def _chain(self, threshold_s: float, stages_behind: Ints, told_apart: Bools, work: int) -> Chain | None:
        """A chain that uses none of the classes told apart too often, other ones as little as seen."""
        prices = self.scarcity.ledger.prices
        rows, track = self.scarcity.track(threshold_s, stages_behind)
        of_rows = prices.classes[rows] + prices.per_stage
        copies = np.where(told_apart[rows], track.candidates.nodes.copies, 0)
        labels = LabelSetting(
            track=track,
            counts=self.counts,
            prices=of_rows,
            ahead=cheapest(track, Charges(of_rows)),
            owed=prices.owed + CERTAIN,
            copies=Copies.of(np.minimum(copies, self.counts.most_stages)),
            most=max(_FEWEST_LABELS, work // len(rows)),
        )
        chains = [
            [(start, end, int(rows[row])) for start, end, row in chain]
            for chain in labels.chains(at_most=_COMPARED)
        ]
        return min(chains, key=lambda chain: len(self._overused(chain)), default=None)

    def _overused(self, chain: Chain) -> Ints:
        classes, times = np.unique([of_class for _, _, of_class in chain], return_counts=True)
        return np.asarray(classes[times > self.scarcity.ground.classes.copies[classes]])
