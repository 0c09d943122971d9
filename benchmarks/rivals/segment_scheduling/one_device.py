"""One device holds all blocks of a cluster, as in federated learning: the fastest, whatever its memory.

No legal plan where the memory is too small, which is the rule here; it stands in the table as what
"memory of one device" is compared with.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgeplan.models.segment_scheduling import Gains, SegmentScheduling
from edgeplan.solvers.segment_scheduling.slot_arrays import Structure


@dataclass(frozen=True)
class OneDevice:
    """The fastest device alone.

    Parameters
    ----------
    problem
        The instance.
    """

    problem: SegmentScheduling

    def __call__(self, cluster: int, micro_batches: int, gains: Gains) -> Structure:
        """Return all blocks on the device that computes them soonest; gains do not matter."""
        segments, devices = self.problem.segments, self.problem.instance.clusters[cluster].devices
        last = segments.num_blocks - 1
        fastest = min(range(len(devices)), key=lambda i: segments.compute_s(devices[i], 0, last))
        return Structure(micro_batches, (fastest,), (segments.num_blocks,))

    def notes(self) -> list[str]:
        """Say nothing: whether it fits the memory is judged with the plan."""
        return []
