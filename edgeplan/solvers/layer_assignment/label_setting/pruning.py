"""What a heuristic plan and Lagrange prices say of the stages and the nodes, before labels are set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeplan.solvers.layer_assignment.bounds.dualised import Dualised
from edgeplan.solvers.layer_assignment.bounds.relaxation import Ascent, Relaxation
from edgeplan.solvers.layer_assignment.candidates import candidates
from edgeplan.solvers.layer_assignment.heuristic.heuristic import FULL, QUICK, construct_and_improve
from edgeplan.solvers.layer_assignment.label_setting.closings import Closings
from edgeplan.solvers.layer_assignment.label_setting.label_search import MAX_LABELS
from edgeplan.solvers.layer_assignment.label_setting.offering import offer_walks
from edgeplan.solvers.layer_assignment.label_setting.states import States
from edgeplan.solvers.layer_assignment.label_setting.to_come import Prices, ToCome
from edgeplan.solvers.layer_assignment.label_setting.walk import Walk
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools, Ints
from edgeplan.solvers.search import Search

_PRUNE_FROM = 1e6  # labels; below, pruning takes longer than it saves
_FIRST_ASCENT_S, _LONGER = 2.0, 1.6  # time of the first ascent, and how much longer each next one takes
_FIRST_LABELS, _MORE = 40_000, 2
_WORTH = 0.02  # gain of an ascent in gaps below which labels have to do the rest
_MOST_VAIN = 3
_DIVES, _NARROW = 3, 500  # closings, and labels kept at a position, to find better plans before the proof


def settle(search: Search, states: States, closings: Closings, *, polish: bool) -> None:
    """Search the closings, with a plan of the heuristic and with prices where that saves labels.

    Parameters
    ----------
    polish
        Whether to use plan and prices at all.

    Raises
    ------
    OutOfTimeError
        When time runs out.
    """
    walk, everything = states.walk, ToCome(states.walk, states.walk.allowed)
    if polish:
        prune = states.effort() > _PRUNE_FROM
        chosen, until = candidates(search.problem), search.limits.share(0.2, most_s=2.0)
        if chosen.arcs.num_nodes:
            effort = FULL if prune else QUICK
            construct_and_improve(chosen.arcs, Relaxation(chosen.arcs), search, until=until, effort=effort)
        if prune and chosen.complete and search.objective is not None:
            Pruning(search, walk, chosen.arcs, closings).run()
            return
    closings.learn(everything)
    closings.settle(everything, most_labels=MAX_LABELS)


class Pruning:
    """Prices on the nodes that walks use too often, and the stages that a better plan may have.

    Between ascents of the prices narrow searches look for better plans, which makes the next ascent better,
    and closings are searched that few labels settle.
    """

    def __init__(self, search: Search, walk: Walk, arcs: Arcs, closings: Closings) -> None:
        self.search, self.walk, self.arcs, self.closings = search, walk, arcs, closings
        self.relaxation = Relaxation(arcs, search.limits.work_until)
        self.ascent = Ascent(self.relaxation.no_multipliers(), None, arcs.first_senders)
        column_of = {node: column for column, node in enumerate(arcs.table.nodes)}
        self.columns = [[column_of[node] for node in members] for members in walk.types.members]

    def run(self) -> None:
        """Raise prices and settle closings in turn, until all are settled or prices rise no more.

        Raises
        ------
        OutOfTimeError
            When time runs out.
        """
        seconds, most_labels, num_vain = _FIRST_ASCENT_S, _FIRST_LABELS, 0
        while self.closings.open and not self.search.is_done and num_vain < _MOST_VAIN:
            num_vain = 0 if self._raise_prices(seconds) else num_vain + 1
            to_come = self._to_come()
            self.closings.learn(to_come)
            self._dive(to_come)
            self.closings.settle(to_come, most_labels=most_labels if num_vain < _MOST_VAIN else MAX_LABELS)
            seconds, most_labels = _LONGER * seconds, min(_MORE * most_labels, MAX_LABELS)

    def _raise_prices(self, seconds: float) -> bool:
        """Raise the prices for some time; whether that was worth it."""
        before, objective = self.relaxation.bound(self.ascent.walk), self.search.objective
        assert objective is not None
        if self.ascent.walk is None:
            before = 0.0
        until, multipliers = self.search.limits.share(0.2, most_s=seconds), self.ascent.multipliers
        self.ascent = self.relaxation.ascend(
            objective, until=until, multipliers=multipliers, senders=self._senders()
        )
        bound = self.relaxation.bound(self.ascent.walk)
        return bound - before >= _WORTH * (objective - bound)

    def _dive(self, to_come: ToCome) -> None:
        """Look for better plans among a few labels of the most promising closings."""
        for closing in sorted(self.closings.open, key=self.closings.lowest.__getitem__)[:_DIVES]:
            offer_walks(self.search, to_come, closing, width=_NARROW)

    def _senders(self) -> Ints:
        """Sender classes that the open closings begin with."""
        classes = self.arcs.class_of
        if not self.walk.is_round:
            return self.arcs.first_senders
        groups = self.walk.groups.tolist()
        of_open = {
            int(classes[column])
            for group, columns in zip(groups, self.columns, strict=True)
            if group in self.closings.open
            for column in columns
        }
        return np.array([sender for sender in self.arcs.first_senders if sender in of_open], dtype=np.int64)

    def _to_come(self) -> ToCome:
        """Keep the steps that a better plan with an open closing may take, at the relaxation's prices.

        The nodes of a type have one price, that of their mean.
        """
        assert self.search.objective is not None
        useful = self.relaxation.useful_arcs(self.search.objective, self.ascent)
        self.relaxation = replace(self.relaxation, kept=useful)
        pays = self.relaxation.per_stage(self.ascent.multipliers)
        mean = np.array([pays[mine].mean() for mine in self.columns])
        kept: Bools = np.stack([useful[:, :, mine].any(axis=(1, 2)) for mine in self.columns], axis=1)
        prices = Prices(mean, Dualised.of(self.arcs).refund(self.ascent.multipliers))
        return ToCome(self.walk, self.walk.allowed & kept, prices)
