"""Equal segments: the same number of blocks on every device of a cluster, in document order."""

from __future__ import annotations

from benchmarks.rivals.segment_scheduling.in_proportion import InProportion
from edgeplan.models.segment_scheduling import SegmentScheduling


def equal_segments(problem: SegmentScheduling) -> InProportion:
    """Return the rule."""
    return InProportion(problem, lambda cluster: [1.0] * len(cluster.devices))
