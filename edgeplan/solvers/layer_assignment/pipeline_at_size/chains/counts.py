"""How many stages: the states of "stages to the end" that a chain's rules can tell apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Ints
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.runs import Runs


@dataclass(frozen=True)
class Counts:
    """States 1 to `most`; with `is_open` the last stands for that many stages and more.

    Parameters
    ----------
    fewest
        Fewest stages of a whole plan.
    most
        The last state.
    levels
        Memory level of each state, shape [most].
    most_stages
        Most stages of a whole plan.
    """

    fewest: int
    most: int
    is_open: bool
    levels: Ints
    most_stages: int

    @classmethod
    def of(cls, runs: Runs, *, coarse: bool = False) -> Counts:
        """Return what the limits of the instance ask for; `coarse` drops those on the number of nodes."""
        limits, n = runs.problem.instance.limits, runs.num_layers
        fewest, bound = limits.min_nodes, min(n, len(runs.problem.instance.network.nodes))
        capped = min(limits.max_nodes or bound, bound)
        if coarse:
            fewest, capped = 1, bound
        is_open = capped == bound and max(fewest, len(runs.levels)) <= bound
        most = max(fewest, len(runs.levels)) if is_open else capped
        levels = np.array([runs.level_of(state) for state in range(1, most + 1)], dtype=np.int64)
        return cls(fewest, most, is_open, levels, capped)
