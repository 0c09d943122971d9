"""Limits that walks may break for a price: a node once, most stages, samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeplan.solvers.layer_assignment.steps.arcs import Arcs
from edgeplan.solvers.layer_assignment.steps.stage_table import Floats

_SAMPLE_SCALE = 4.0  # a walk misses samples by a fraction of the need, and nodes by whole visits


@dataclass(frozen=True)
class Dualised:
    """Limits that walks may break for a price: ``coefficients @ visits <= limits``.

    Parameters
    ----------
    coefficients
        What a stage on each node adds, shape [limits, nodes].
    limits
        Right-hand sides, shape [limits].
    """

    coefficients: Floats
    limits: Floats

    @classmethod
    def of(cls, arcs: Arcs) -> Dualised:
        """A node once (2); at most ``max_nodes`` stages and at least ``min_samples`` samples (3)."""
        instance, n = arcs.table.problem.instance, arcs.table.num_positions
        rows, limits = [np.eye(arcs.num_nodes)], [np.ones(arcs.num_nodes)]
        most = instance.limits.max_nodes
        if most is not None and most < n:
            rows.append(np.ones((1, arcs.num_nodes)))
            limits.append(np.array([float(most)]))
        if instance.limits.min_samples > 0:
            held = np.array([node.num_samples for node in arcs.candidates], dtype=float)
            rows.append(-_SAMPLE_SCALE * held[None, :] / instance.limits.min_samples)
            limits.append(np.array([-_SAMPLE_SCALE]))
        return cls(np.concatenate(rows), np.concatenate(limits))

    def free(self) -> Floats:
        """Return prices of zero, shape [limits]."""
        return np.zeros(len(self.limits))

    def per_stage(self, multipliers: Floats) -> Floats:
        """What a stage on each node pays, shape [nodes]."""
        return np.asarray(multipliers @ self.coefficients)

    def refund(self, multipliers: Floats) -> float:
        """What every plan that keeps the limits may pay at most."""
        return float(multipliers @ self.limits)

    def excess(self, visits: Floats) -> Floats:
        """How far visits per node, shape [nodes], break each limit."""
        return np.asarray(self.coefficients @ visits - self.limits)
