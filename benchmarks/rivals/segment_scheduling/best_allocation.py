"""A fixed rule for the segments with all else at best: the ablation that leaves segmentation aside.

Bands and powers are the optimum of the slot's convex programme, for the queues met. Micro-batches are found
by local search from those of the slot before: one cluster's number moves by 1 or 4 while that pays.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.rivals.segment_scheduling.policy import Decided, Segmentation, asked_micro_batches
from edgeplan.errors import BackendError
from edgeplan.models.segment_scheduling import Gains, Queues, SegmentScheduling, SlotPlan
from edgeplan.solvers.segment_scheduling.slot_arrays import InstanceArrays, Prices, SlotArrays, Structure
from edgeplan.solvers.segment_scheduling.together import Noise, Together, cluster_plans, solve_together

_STEPS = (1, -1, 4, -4)
_BETTER = 1 - 1e-9


class BestAllocation:
    """A segmentation with the best bands, powers and micro-batches.

    Parameters
    ----------
    problem
        The instance.
    segmentation
        The rule for the stages.
    """

    def __init__(self, problem: SegmentScheduling, segmentation: Segmentation) -> None:
        self._problem, self._segmentation = problem, segmentation
        self._arrays = InstanceArrays(problem)
        self._counts = [asked_micro_batches(problem)] * len(problem.instance.clusters)

    def decide(self, gains: Gains, queues: Queues, until: float) -> Decided:
        """Decide for the queues met."""
        slot = self._arrays.slot(Prices.of_queues(self._problem, queues), gains, None)
        best = solve_together(slot, dict(enumerate(self._first(gains))), self._noise(slot))
        if best is None:
            raise BackendError("bits of these segments cannot flow")
        best = self._searched(slot, gains, best, until)
        self._counts = [structure.micro_batches for structure in best.structures.values()]
        plans = cluster_plans(slot, best)
        return Decided(SlotPlan(clusters=tuple(plans[n] for n in sorted(plans))))

    def notes(self) -> list[str]:
        """Say what the segmentation says."""
        return self._segmentation.notes()

    def _first(self, gains: Gains) -> Iterator[Structure]:
        for n, count in enumerate(self._counts):
            found = (self._segmentation(n, m, gains) for m in range(count, 0, -1))
            structure = next((one for one in found if one is not None), None)
            if structure is None:
                raise BackendError(f"cluster {self._problem.instance.clusters[n].id}: no segments fit")
            yield structure

    def _noise(self, slot: SlotArrays) -> Noise:
        training, control = self._problem.instance.training, self._problem.instance.control
        clusters = len(self._counts)
        level = slot.prices.noise * control.noise_level / training.micro_batch_size
        return Noise(level, clusters, clusters * training.max_micro_batches)

    def _searched(self, slot: SlotArrays, gains: Gains, best: Together, until: float) -> Together:
        noise, has_improved = self._noise(slot), True
        while has_improved and time.monotonic() < until:
            has_improved = False
            for structures in self._around(best, gains):
                found = solve_together(slot, structures, noise)
                if found is not None and found.objective < _BETTER * best.objective:
                    best, has_improved = found, True
                    break
        return best

    def _around(self, best: Together, gains: Gains) -> Iterator[dict[int, Structure]]:
        """Yield the structures with one cluster's number of micro-batches moved."""
        most = self._problem.instance.training.max_micro_batches
        for n, structure in best.structures.items():
            for step in _STEPS:
                count = structure.micro_batches + step
                moved = self._segmentation(n, count, gains) if 1 <= count <= most else None
                if moved is not None:
                    yield {**best.structures, n: moved}
