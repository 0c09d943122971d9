"""The plan as slots: which process computes which blocks, what moves between whom, and how fast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.models.segment_scheduling.cluster_cost import ClusterCost, StageCost
from edgeplan.models.segment_scheduling.instance import Device
from edgeplan.models.segment_scheduling.plan import ClusterPlan
from edgeplan.runtime.emulation.links import Links, Shape
from edgeplan.runtime.pipeline.participants import CONTROL, DEVICE, SERVER, Participant

FLOAT32_BYTES = 4


@dataclass(frozen=True)
class PlannedStage:
    """One stage of a cluster's pipeline.

    Parameters
    ----------
    rank
        Of the device's process.
    device
        Its id.
    layers
        Its blocks.
    in_flight
        Micro-batches that it holds at most, f in equation (6).
    hop_bytes
        Of an activation behind it, and of the gradient back.
    hop_bit_per_s
        Rate of the hop behind it; of the uplink behind the last stage.
    cost
        What equations (1) to (6) say of it.
    """

    rank: int
    device: str
    layers: tuple[str, ...]
    in_flight: int
    hop_bytes: int
    hop_bit_per_s: float
    cost: StageCost


@dataclass(frozen=True)
class PlannedCluster:
    """What a cluster does in a slot.

    Parameters
    ----------
    index, name
        Of the cluster; the index is that among all of the instance.
    control, server
        Ranks of its control unit and of the server's side.
    micro_batches, samples
        Of the slot.
    stages
        First to last.
    upload_bytes, upload_bit_per_s
        Of the parameters.
    cost
        What equations (1) to (6) say of it.
    """

    index: int
    name: str
    control: int
    server: int
    micro_batches: int
    samples: int
    stages: tuple[PlannedStage, ...]
    upload_bytes: int
    upload_bit_per_s: float
    cost: ClusterCost

    @property
    def pipeline(self) -> tuple[int, ...]:
        """Ranks of the pipeline's stages, the decoder last."""
        return (*(stage.rank for stage in self.stages), self.server)

    @property
    def hops(self) -> tuple[tuple[int, int, PlannedStage], ...]:
        """Sender and receiver of activations, and the stage whose activations they are."""
        return tuple(zip(self.pipeline, self.pipeline[1:], self.stages, strict=False))


@dataclass(frozen=True)
class PlannedSlot:
    """One slot.

    Parameters
    ----------
    number
        From 1.
    clusters
        In document order.
    latency_s
        T of equation (4).
    """

    number: int
    clusters: tuple[PlannedCluster, ...]
    latency_s: float

    def of_rank(self, rank: int) -> PlannedCluster | None:
        """Return the cluster for which a process does something in this slot; None if there is none."""
        for cluster in self.clusters:
            if rank in (cluster.control, *cluster.pipeline):
                return cluster
        return None

    def links(self, num_ranks: int) -> Links:
        """Return what joins the processes: what no equation gives a rate to takes no time.

        Activations and gradients share a hop, one after the other; only the control unit's upload uses the
        way between it and the server.
        """
        pairs = {}
        for cluster in self.clusters:
            for source, target, stage in cluster.hops:
                shape = Shape(0.0, stage.hop_bit_per_s)
                pairs[source, target] = pairs[target, source] = shape
            pairs[cluster.control, cluster.server] = Shape(0.0, cluster.upload_bit_per_s)
        return links_between(pairs, num_ranks)


def links_between(pairs: dict[tuple[int, int], Shape], num_ranks: int) -> Links:
    """Return links of which only some pairs have a rate."""
    unlimited = (math.inf,) * num_ranks
    return Links(unlimited, unlimited, (0.0,) * num_ranks, pairs, half_duplex=True)


def planned_slots(
    problem: SegmentScheduling, plan: SegmentPlan, numbers: range, cast: Sequence[Participant]
) -> tuple[PlannedSlot, ...]:
    """Return the first slots of a plan without violations.

    Parameters
    ----------
    problem, plan
        What is run.
    numbers
        Of these slots.
    cast
        The participants by rank.
    """
    slots = []
    for number, slot, cost in zip(numbers, plan.slots, problem.costs(plan), strict=False):
        entry_of = {entry.id: entry for entry in slot.clusters}
        clusters = tuple(
            _cluster(problem, entry_of[cluster.id], cluster_cost, cast)
            for cluster, cluster_cost in zip(problem.instance.clusters, cost.clusters, strict=True)
        )
        slots.append(PlannedSlot(number, clusters, cost.latency_s))
    return tuple(slots)


def _cluster(
    problem: SegmentScheduling, entry: ClusterPlan, cost: ClusterCost, cast: Sequence[Participant]
) -> PlannedCluster:
    segments, size = problem.segments, problem.instance.training.micro_batch_size
    rank_of = {one.name: rank for rank, one in enumerate(cast) if one.role == DEVICE}
    (index,) = (one.cluster for one in cast if (one.role, one.name) == (CONTROL, entry.id))
    side = {one.role: rank for rank, one in enumerate(cast) if one.cluster == index}
    stages = tuple(
        PlannedStage(
            rank=rank_of[planned.device],
            device=planned.device,
            layers=planned.layers,
            in_flight=segments.in_flight(cost.micro_batches, len(entry.stages) - k),
            hop_bytes=round(segments.hop_bits(stage.last)) // 16,
            hop_bit_per_s=_rate(segments.hop_bits(stage.last), stage.transfer_s),
            cost=stage,
        )
        for k, (planned, stage) in enumerate(zip(entry.stages, cost.stages, strict=True))
    )
    return PlannedCluster(
        index=index,
        name=entry.id,
        control=side[CONTROL],
        server=side[SERVER],
        micro_batches=cost.micro_batches,
        samples=size * cost.micro_batches,
        stages=stages,
        upload_bytes=round(segments.upload_bits) // 8,
        upload_bit_per_s=_rate(segments.upload_bits, cost.upload_s),
        cost=cost,
    )


def _rate(num_bits: float, seconds: float) -> float:
    """Rate at which bits take so long, (2) and (3); bits that take no time are not limited."""
    return num_bits / seconds if seconds > 0 else math.inf


def flops_of(problem: SegmentScheduling) -> float:
    """FLOPs of a micro-batch through the whole encoder."""
    return math.fsum(problem.segments.block_flops)


def whole_s(problem: SegmentScheduling, device: Device) -> float:
    """Return the seconds of a micro-batch through the whole encoder on a device, without the overhead, (1).

    Examples
    --------
    >>> from edgeplan.models.segment_scheduling.examples import two_blocks_two_phones
    >>> problem = two_blocks_two_phones()
    >>> whole_s(problem, problem.instance.clusters[0].devices[0])
    0.3
    """
    return flops_of(problem) / device.flops_per_s
