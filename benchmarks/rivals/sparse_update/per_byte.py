"""The largest contribution for a byte first, for every depth; the best depth counts."""

from __future__ import annotations

from benchmarks.rivals.sparse_update.rule import fits, planned, worth
from edgeplan.models.sparse_update import SparseUpdateInstance
from edgeplan.models.sparse_update.plan import DevicePlan


class PerByte:
    """Steps from one ratio to a larger one, the one that brings most for a byte as long as it fits."""

    name = "most for a byte"

    def choose(self, instance: SparseUpdateInstance, d: int) -> DevicePlan:
        """Fill the memory greedily, once for every depth."""
        plans = [self._filled(instance, d, depth) for depth in range(len(instance.layers) + 1)]
        whole = [plan for plan in plans if fits(instance, d, plan)]
        return max(whole, key=lambda plan: worth(instance, d, plan))

    def _filled(self, instance: SparseUpdateInstance, d: int, depth: int) -> DevicePlan:
        first = len(instance.layers) - depth
        options: dict[int, int] = {}
        tried: set[tuple[int, int]] = set()
        while True:
            steps = [step for step in self._steps(instance, first, options) if step[1:] not in tried]
            if not steps:
                return planned(instance, d, depth, options)
            _, index, k = max(steps)
            tried.add((index, k))
            trial = options | {index: k}
            if fits(instance, d, planned(instance, d, depth, trial)):
                options = trial

    def _steps(
        self, instance: SparseUpdateInstance, first: int, options: dict[int, int]
    ) -> list[tuple[float, int, int]]:
        found = []
        for index in range(first, len(instance.layers)):
            own = instance.layers[index].options
            now = own[options[index]] if index in options else None
            for k in range(options.get(index, -1) + 1, len(own)):
                more_bytes = own[k].memory_bytes - (now.memory_bytes if now else 0)
                more = own[k].contribution - (now.contribution if now else 0.0)
                if more > 0:
                    found.append((more / max(more_bytes, 1), index, k))
        return found
