"""One cut, as in split learning: two devices, the best pair, order and cut by latency at full power.

Chosen anew in every slot for its gains, at full power and equal bands. Where no two devices hold the blocks,
the fewest devices that do, with the best cuts between them; notes say where.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgeplan.models.segment_scheduling import Gains, SegmentScheduling
from edgeplan.models.segment_scheduling.link import rate_bit_per_s
from edgeplan.solvers.segment_scheduling.slot_arrays import Structure


@dataclass(frozen=True)
class Pipelines:
    """All structures of a cluster with so many stages that fit, one a row, a column a stage.

    `bits` are those of a micro-batch behind every stage; behind the last the control unit sends.
    """

    devices: NDArray[np.int_]
    ends: NDArray[np.int_]
    compute_s: NDArray[np.float64]
    bits: NDArray[np.float64]


@dataclass
class OneCut:
    """Two devices and the cut between them.

    Parameters
    ----------
    problem
        The instance.
    """

    problem: SegmentScheduling
    _known: dict[tuple[int, int], Pipelines | None] = field(default_factory=dict)
    _notes: dict[str, None] = field(default_factory=dict)

    def __call__(self, cluster: int, micro_batches: int, gains: Gains) -> Structure | None:
        """Return the structure of the least latency at full power and equal bands."""
        key = cluster, micro_batches
        if key not in self._known:
            self._known[key] = self._fewest_stages(cluster, micro_batches)
        pipelines = self._known[key]
        if pipelines is None:
            return None
        best = int(self._varying_s(pipelines, cluster, micro_batches, gains).argmin())
        devices, ends = (tuple(int(x) for x in row[best]) for row in (pipelines.devices, pipelines.ends))
        return Structure(micro_batches, devices, ends)

    def notes(self) -> list[str]:
        """Say which clusters need more than two devices."""
        return list(self._notes)

    def _fewest_stages(self, n: int, micro_batches: int) -> Pipelines | None:
        devices = self.problem.instance.clusters[n].devices
        fewest = min(2, len(devices), self.problem.segments.num_blocks)
        for stages in range(fewest, len(devices) + 1):
            found = self._pipelines(n, micro_batches, stages)
            if found is not None:
                if stages != 2:
                    self._notes[f"{self.problem.instance.clusters[n].id}: {stages} devices"] = None
                return found
        return None

    def _pipelines(self, n: int, micro_batches: int, stages: int) -> Pipelines | None:
        segments, cluster = self.problem.segments, self.problem.instance.clusters[n]
        count, rows = segments.num_blocks, []
        orders = itertools.combinations if cluster.node_order == "given" else itertools.permutations
        held = [segments.in_flight(micro_batches, stages - k) for k in range(stages)]
        for cuts in itertools.combinations(range(1, count), stages - 1):
            ends = (*cuts, count)
            runs = list(itertools.pairwise((0, *ends)))
            needed = [segments.memory_bytes(a, b - 1, f) for (a, b), f in zip(runs, held, strict=True)]
            for order in orders(range(len(cluster.devices)), stages):
                chosen = [cluster.devices[i] for i in order]
                if all(device.memory_bytes >= x for device, x in zip(chosen, needed, strict=True)):
                    pairs = zip(chosen, runs, strict=True)
                    compute_s = [segments.compute_s(device, a, b - 1) for device, (a, b) in pairs]
                    rows.append((order, ends, compute_s, [segments.hop_bits(end - 1) for end in ends]))
        return Pipelines(*(np.array(column) for column in zip(*rows, strict=True))) if rows else None

    def _varying_s(
        self, pipelines: Pipelines, n: int, micro_batches: int, gains: Gains
    ) -> NDArray[np.float64]:
        """Return equation (4) but for what is the same for all structures."""
        instance, cluster = self.problem.instance, self.problem.instance.clusters[n]
        stages, noise = pipelines.devices.shape[1], instance.noise_w_per_hz
        share_hz = cluster.d2d_bandwidth_hz / max(1, stages - 1)
        rates = np.array(
            [rate_bit_per_s(share_hz, x.max_power_w, gains.d2d[x.id], noise) for x in cluster.devices]
        )
        uplink_hz = instance.uplink_bandwidth_hz / len(instance.clusters)
        up = rate_bit_per_s(uplink_hz, cluster.uplink_max_power_w, gains.uplink[cluster.id], noise)
        transfer_s = pipelines.bits / rates[pipelines.devices]
        transfer_s[:, -1] = pipelines.bits[:, -1] / up
        slowest_s = np.maximum(pipelines.compute_s, transfer_s).max(axis=1)
        filling_s = (pipelines.compute_s + transfer_s).sum(axis=1)
        return filling_s + (micro_batches - 1) * slowest_s
