"""Biases alone, down to the depth that memory holds (as TinyTL, NeurIPS 2020, without its residuals)."""

from __future__ import annotations

from benchmarks.rivals.sparse_update.rule import fits, planned
from edgeplan.models.sparse_update import SparseUpdateInstance
from edgeplan.models.sparse_update.plan import DevicePlan


class BiasOnly:
    """No weights."""

    name = "biases alone"

    def choose(self, instance: SparseUpdateInstance, d: int) -> DevicePlan:
        """Take the deepest depth that fits."""
        plans = [planned(instance, d, depth, {}) for depth in range(len(instance.layers) + 1)]
        return max((plan for plan in plans if fits(instance, d, plan)), key=lambda plan: plan.depth)
