"""Segments in proportion to weights, over all devices of a cluster in document order.

A device that cannot hold its share takes what it holds, and the others the rest, as in `shares.py`; where
even that leaves blocks over, each device in turn takes as many as it holds. Notes say where either happened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.rivals.shares import share_out
from edgeplan.models.segment_scheduling import Gains, SegmentScheduling
from edgeplan.models.segment_scheduling.instance import Cluster
from edgeplan.models.segment_scheduling.segments import Segments
from edgeplan.solvers.segment_scheduling.slot_arrays import Structure


@dataclass(frozen=True)
class Room:
    """Which runs of blocks each device of a cluster holds, as `share_out` asks."""

    segments: Segments
    cluster: Cluster
    micro_batches: int
    is_unlimited: bool = False

    @property
    def num_positions(self) -> int:
        """Blocks to share out."""
        return self.segments.num_blocks

    def holds(self, device: int, start: int, end: int, stages_to_end: int) -> bool:
        """Whether the device holds blocks from `start` to before `end`."""
        in_flight = self.segments.in_flight(self.micro_batches, stages_to_end)
        needed = self.segments.memory_bytes(start, end - 1, in_flight)
        return self.is_unlimited or needed <= self.cluster.devices[device].memory_bytes

    def fits(self, device: int, stages_to_end: int) -> list[list[bool]]:
        """Return the same for all runs: [start][end]."""
        count = self.num_positions
        return [
            [start < end and self.holds(device, start, end, stages_to_end) for end in range(count + 1)]
            for start in range(count)
        ]


@dataclass
class InProportion:
    """Segments in proportion to the weights of the devices.

    Parameters
    ----------
    problem
        The instance.
    weights
        Positive weights of a cluster's devices.
    """

    problem: SegmentScheduling
    weights: Callable[[Cluster], Sequence[float]]
    _known: dict[tuple[int, int], Structure | None] = field(default_factory=dict)
    _notes: dict[str, None] = field(default_factory=dict)

    def __call__(self, cluster: int, micro_batches: int, gains: Gains) -> Structure | None:
        """Return the segments; gains do not matter."""
        key = cluster, micro_batches
        if key not in self._known:
            self._known[key] = self._shared(cluster, micro_batches)
        return self._known[key]

    def notes(self) -> list[str]:
        """Say which clusters could not follow the rule."""
        return list(self._notes)

    def _shared(self, n: int, micro_batches: int) -> Structure | None:
        cluster = self.problem.instance.clusters[n]
        room = Room(self.problem.segments, cluster, micro_batches)
        devices, weights = range(len(cluster.devices)), self.weights(cluster)
        split = share_out(room, devices, weights)
        if split is None:
            self._notes[f"{cluster.id}: each device in turn holds what it can"] = None
            return filled_in_turn(room)
        plain = share_out(Room(self.problem.segments, cluster, micro_batches, True), devices, weights)
        if split != plain:
            self._notes[f"{cluster.id}: what does not fit a device goes to the others"] = None
        return Structure(micro_batches, split.nodes, split.ends)


def filled_in_turn(room: Room) -> Structure | None:
    """Give each device in document order as many blocks as it holds; None where blocks are left."""
    devices, ends, start = [], [], 0
    count = len(room.cluster.devices)
    for device in range(count):
        end = start
        while end < room.num_positions and room.holds(device, start, end + 1, count - device):
            end += 1
        if end > start:
            devices.append(device)
            ends.append(end)
            start = end
    return Structure(room.micro_batches, tuple(devices), tuple(ends)) if start == room.num_positions else None
