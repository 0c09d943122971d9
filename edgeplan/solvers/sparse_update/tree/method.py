"""What the search for few devices and the descent for many have in common."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from edgeplan.solvers.sparse_update.choices.cluster import Choices, Cluster
from edgeplan.solvers.sparse_update.tree.improvement import Improvement

OnPlan = Callable[[Choices], float | None]
"""Gets choices that may be better, and returns their objective if they keep all rules."""


@dataclass
class Method:
    """A way to plan for a cluster, which tells of plans and bounds as it finds them.

    Parameters
    ----------
    improvement
        Of choices of the cluster.
    on_plan
        Judges choices.
    on_bound
        Gets proven bounds.
    until
        Whether to stop.
    """

    improvement: Improvement
    on_plan: OnPlan
    on_bound: Callable[[float], None]
    until: Callable[[], bool]
    best: float = field(default=-math.inf, init=False)

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        return self.improvement.cluster

    def offered(self, choices: Choices) -> float:
        """Judge choices that may be better; return the best objective known."""
        if self.improvement.objective(choices) > self.best:
            known = self.on_plan(choices)
            if known is not None:
                self.best = max(self.best, known)
        return self.best
