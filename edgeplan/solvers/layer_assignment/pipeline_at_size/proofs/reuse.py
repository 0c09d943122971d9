"""Chains in which every node may serve again: below which threshold there are none."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.candidates import Candidates
from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.counts import Counts
from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.reach import Reach, reach
from edgeplan.solvers.layer_assignment.pipeline_at_size.clock import Clock
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.ground import Ground
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Ints

_FACTOR = 16.0
_RATIO = 1.0005
_LEAST_S = 1e-15


@dataclass
class Reuse:
    """Reach over the front of a ground.

    Parameters
    ----------
    ground
        What chains are built on.
    highest_impossible_s, lowest_possible_s
        Thresholds known so far, without and with a chain.
    """

    ground: Ground
    clock: Clock
    highest_impossible_s: float = 0.0
    lowest_possible_s: float = math.inf
    _known: dict[float, Ints] = field(default_factory=dict)

    @cached_property
    def front(self) -> Candidates:
        """The classes that such chains need."""
        nobody = np.zeros(len(self.ground.classes), dtype=np.bool_)
        rows = self.ground.rows(~nobody, nobody)
        assert rows is not None
        nodes = self.ground.classes.take(rows)
        alone = self.ground.rigid[rows] & (nodes.copies == 1)
        return Candidates(self.ground.field, nodes, alone, self.ground.is_ordered)

    @cached_property
    def counts(self) -> Counts:
        """States of chains."""
        return Counts.of(self.ground.field.runs)

    def is_possible(self, threshold_s: float) -> bool:
        """Whether a chain keeps the threshold; remembers what follows for others."""
        if threshold_s <= self.highest_impossible_s:
            return False
        found = self._reach(threshold_s)
        if found.is_feasible:
            self.lowest_possible_s = min(self.lowest_possible_s, threshold_s)
        else:
            self.highest_impossible_s = threshold_s
        return found.is_feasible

    @cached_property
    def has_chain(self) -> bool:
        """Whether there is a chain without any threshold."""
        return self._reach(math.inf).is_feasible

    def bisect(self, ratio: float = _RATIO) -> None:
        """Bring both thresholds together, within a ratio; there must be a chain."""
        threshold_s = 1.0
        while self.lowest_possible_s == math.inf and not self.is_possible(threshold_s):
            threshold_s *= _FACTOR
        while self.highest_impossible_s == 0 and self.lowest_possible_s > _LEAST_S:
            self.is_possible(self.lowest_possible_s / _FACTOR)
        while self.lowest_possible_s > max(ratio * self.highest_impossible_s, _LEAST_S):
            self.is_possible(math.sqrt(self.highest_impossible_s * self.lowest_possible_s))

    def stages_behind(self, threshold_s: float) -> Ints:
        """Fewest stages behind each cut within the threshold."""
        if threshold_s not in self._known:
            self._known = {threshold_s: self._reach(threshold_s).stages_behind}
        return self._known[threshold_s]

    def _reach(self, threshold_s: float) -> Reach:
        return reach(self.front, self.counts, threshold_s, self.clock)
