"""The last layers in full, as many as the memory holds."""

from __future__ import annotations

from benchmarks.rivals.sparse_update.rule import fits, planned
from edgeplan.models.sparse_update import SparseUpdateInstance
from edgeplan.models.sparse_update.plan import DevicePlan


class LastLayers:
    """Weights and biases of the last k layers, k as large as fits."""

    name = "last layers"

    def choose(self, instance: SparseUpdateInstance, d: int) -> DevicePlan:
        """Take one layer more as long as it fits."""
        num, best = len(instance.layers), planned(instance, d, 0, {})
        for depth in range(1, num + 1):
            last = range(num - depth, num)
            options = {k: len(instance.layers[k].options) - 1 for k in last if instance.layers[k].options}
            plan = planned(instance, d, depth, options)
            if fits(instance, d, plan):
                best = plan
        return best
