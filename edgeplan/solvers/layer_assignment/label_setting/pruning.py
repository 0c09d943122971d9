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
from edgeplan.solvers.layer_assignment.label_setting.states import States
from edgeplan.solvers.layer_assignment.label_setting.to_come import Prices, ToCome
from edgeplan.solvers.layer_assignment.label_setting.walk import Walk
from edgeplan.solvers.layer_assignment.search import Search
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools, Floats, Ints

_PRUNE_FROM = 1e6  # labels; below, pruning takes longer than it saves
_QUICK_STEPS = 200_000  # of a table on which the heuristic is quick enough
_FIRST_ASCENT_S, _LONGER = 2.0, 1.6  # time of the first ascent, and how much longer each next one takes
_FIRST_LABELS, _MORE = 40_000, 2
_WORTH = 0.02  # gain of an ascent in gaps below which labels have to do the rest
_MOST_VAIN = 3
_GENEROSITY = (1.0, 1.2, 1.5, 2.0, 4.0)  # times the price of samples, for dives
_NARROW = 500  # labels kept at a position, to find better plans before the proof
_WIDTHS = (10, 50, 200)  # the same, where they take the place of the heuristic


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
        if not prune and chosen.arcs.num_steps > _QUICK_STEPS:
            for width in _WIDTHS:
                closings.dive(everything, width=width)
        elif chosen.arcs.num_nodes:
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
            allowed = self._useful_stages()
            to_come = self._to_come(allowed, self.ascent.multipliers)
            self.closings.learn(to_come)
            priced = self._generous()
            for multipliers in priced:
                self.closings.dive(self._to_come(allowed, multipliers), width=_NARROW // len(priced))
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

    def _generous(self) -> list[Floats]:
        """Multipliers for dives: at the price of samples itself walks just miss the need."""
        if not self.search.problem.instance.limits.min_samples:
            return [self.ascent.multipliers]
        others = np.ones(len(self.ascent.multipliers) - 1)
        return [self.ascent.multipliers * np.append(others, more) for more in _GENEROSITY]

    def _useful_stages(self) -> Bools:
        """Stages that a better plan with an open closing may have, shape [runs, types]."""
        assert self.search.objective is not None
        useful = self.relaxation.useful_arcs(self.search.objective, self.ascent)
        self.relaxation = replace(self.relaxation, kept=useful)
        kept = np.stack([useful[:, :, mine].any(axis=(1, 2)) for mine in self.columns], axis=1)
        return np.asarray(self.walk.allowed & kept)

    def _to_come(self, allowed: Bools, multipliers: Floats) -> ToCome:
        """Price the stages allowed; the nodes of a type have one price, that of their mean."""
        pays = self.relaxation.per_stage(multipliers)
        mean = np.array([pays[mine].mean() for mine in self.columns])
        prices = Prices(mean, Dualised.of(self.arcs).refund(multipliers))
        return ToCome(self.walk, allowed, prices)
