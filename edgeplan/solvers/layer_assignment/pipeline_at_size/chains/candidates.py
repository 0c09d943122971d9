"""Candidate nodes of a chain and everything about them that does not depend on the threshold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.field import Field
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.links import Pairs
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Bools, Ints, NodeColumns
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.runs import relaxed


@dataclass(frozen=True)
class Candidates:
    """Nodes, few enough for tables of pairs.

    Parameters
    ----------
    field
        The network that they come from.
    nodes
        The nodes, real ones or classes.
    alone
        Which of them stand for one node and replace no other, so that none follows itself.
    is_ordered
        Whether they follow each other in the order of their indices alone.
    """

    field: Field
    nodes: NodeColumns
    alone: Bools
    is_ordered: bool = False

    @cached_property
    def pairs(self) -> Pairs:
        """Link times u between all candidates, shape [sender, receiver]."""
        pairs = self.field.links.back_and_forth(self.nodes, self.nodes)
        rows = np.flatnonzero(self.alone)
        pairs.fixed_s[rows, rows] = np.inf
        if self.is_ordered:
            pairs.fixed_s[self.nodes.index[:, None] > self.nodes.index] = np.inf
        return pairs

    @cached_property
    def _last_ends(self) -> Ints:
        """Last end from each start that memory and rules allow, shape [start, level, node]."""
        runs, walls = self.field.runs, self.field.rules.last_ends(self.nodes)
        return np.array(
            [
                [
                    np.minimum(runs.ends_in_memory(self.nodes, start, level), walls[start])
                    for level in range(len(runs.levels))
                ]
                for start in range(runs.num_layers)
            ]
        )

    def ends_within(self, threshold_s: float, start: int) -> Ints:
        """Last end of a run from `start` within the threshold, shape [level, node]."""
        in_time = self.field.runs.ends_in_time(self.nodes, start, relaxed(threshold_s))
        return np.asarray(np.minimum(self._last_ends[start], in_time))

    @cached_property
    def first_ends(self) -> Ints:
        """First end that a run of each node may have."""
        return self.field.rules.first_ends(self.nodes)

    @cached_property
    def _walls(self) -> Ints:
        return self.field.rules.first_starts(self.nodes)

    @cached_property
    def last_starts(self) -> Ints:
        """Last start that a run of each node may have."""
        return self.field.rules.last_starts(self.nodes)

    def starts_within(self, threshold_s: float, end: int, level: int) -> Ints:
        """First start of a run to `end` within the threshold, memory and rules, by node."""
        runs = self.field.runs
        in_time = runs.starts_in_time(self.nodes, end, relaxed(threshold_s))
        in_memory = runs.starts_in_memory(self.nodes, end, level)
        return np.asarray(np.maximum(np.maximum(in_time, in_memory), self._walls[end]))
