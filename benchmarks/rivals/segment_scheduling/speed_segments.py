"""Segments in proportion to speed: every device of a cluster, in document order, the share of its FLOP/s."""

from __future__ import annotations

from benchmarks.rivals.segment_scheduling.in_proportion import InProportion
from edgeplan.models.segment_scheduling import SegmentScheduling


def speed_segments(problem: SegmentScheduling) -> InProportion:
    """Return the rule."""
    return InProportion(problem, lambda cluster: [device.flops_per_s for device in cluster.devices])
