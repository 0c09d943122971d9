"""ElasticTrainer's dynamic programme (MobiSys 2023, arXiv:2312.14227), written anew for memory.

The original chooses tensors by importance within a time that is cut into steps, from the output on, each
chosen tensor adding its own cost and that of passing the gradient down to it. Here memory is cut into steps,
costs are rounded up to whole ones so that the choice fits, and passing is what biases take.
"""

from __future__ import annotations

import math

from benchmarks.rivals.sparse_update.rule import fits, planned, worth
from edgeplan.models.sparse_update import SparseUpdateInstance
from edgeplan.models.sparse_update.plan import DevicePlan

_STEPS = 400


class ElasticTrainer:
    """A dynamic programme over layers and steps of memory."""

    name = "ElasticTrainer"

    def choose(self, instance: SparseUpdateInstance, d: int) -> DevicePlan:
        """Return the best choice for memory in steps."""
        room = instance.devices[d].memory_bytes - instance.base_bytes
        unit = max(1.0, room / _STEPS)
        best: list[float] = [0.0] * (_STEPS + 1)
        chosen: list[dict[int, int]] = [{} for _ in best]
        plans, passed = [planned(instance, d, 0, {})], 0
        for depth in range(1, len(instance.layers) + 1):
            index = len(instance.layers) - depth
            layer = instance.layers[index]
            passed += layer.bias_bytes
            for q in range(_STEPS, -1, -1):
                for k, option in enumerate(layer.options):
                    left = q - math.ceil(option.memory_bytes / unit)
                    if left >= 0 and best[left] + option.contribution > best[q]:
                        best[q], chosen[q] = best[left] + option.contribution, chosen[left] | {index: k}
            left = _STEPS - math.ceil(passed / unit)
            if left >= 0:
                plans.append(planned(instance, d, depth, chosen[left]))
        whole = [plan for plan in plans if fits(instance, d, plan)]
        return max(whole, key=lambda plan: worth(instance, d, plan))
