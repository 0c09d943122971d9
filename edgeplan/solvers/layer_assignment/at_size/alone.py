"""Peer plans of one stage: nothing moves, so every node is looked at by itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.models.layer_assignment import Plan, Stage
from edgeplan.solvers.layer_assignment.at_size.groups.kinds import ROW
from edgeplan.solvers.layer_assignment.at_size.groups.work import Work
from edgeplan.solvers.layer_assignment.steps.stage_table import Floats


@dataclass(frozen=True)
class Alone:
    """Plans in which one node serves all layers.

    Parameters
    ----------
    work
        Runs and kinds.
    """

    work: Work

    @cached_property
    def costs(self) -> Floats:
        """Weighted cost by kind, infinite where it cannot serve or others must serve, too."""
        work, kinds = self.work, self.work.kinds
        if not work.is_peer or work.problem.instance.limits.min_nodes > 1:
            return np.full(len(kinds.members), math.inf)
        row = work.run(0, work.num_positions)
        costs = work.stage_costs(kinds.figures, kinds.work_type, row)
        fits = work.open_runs[row] & (kinds.figures[ROW["lacking_memory"]] <= -work.memory_ranks[row])
        for kind in np.flatnonzero(kinds.special):
            fits[kind] = work.allowed(kinds.figures[:, kind], int(kinds.members[kind][0]))[row]
        return np.where(fits, costs, math.inf)

    @property
    def cost(self) -> float:
        """Cost of the cheapest; infinite if there is none."""
        return float(self.costs.min())

    def plans(self, most: int) -> Iterator[Plan]:
        """Yield the cheapest plans."""
        instance = self.work.problem.instance
        names = tuple(instance.model.layers[layer].name for layer in self.work.problem.figures.own)
        for kind in np.argsort(self.costs)[:most]:
            if math.isfinite(self.costs[kind]):
                node = instance.network.nodes[int(self.work.kinds.members[kind][0])].id
                yield Plan(stages=(Stage(node=node, layers=names),))
