"""Equations (1) to (6): what one cluster's decision takes in a slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeplan.models.segment_scheduling.channels import Gains
from edgeplan.models.segment_scheduling.instance import Cluster
from edgeplan.models.segment_scheduling.link import rate_bit_per_s, transfer_s
from edgeplan.models.segment_scheduling.plan import ClusterPlan, StagePlan
from edgeplan.models.segment_scheduling.segments import Segments


@dataclass(frozen=True, slots=True)
class StageCost:
    """A stage: its device, first and last block, and times (s), bytes and energy (J).

    `transfer_s` is that of the hop behind it; of the uplink for the last stage.
    """

    device: int
    first: int
    last: int
    compute_s: float
    transfer_s: float
    memory_bytes: int
    energy_j: float


@dataclass(frozen=True, slots=True)
class ClusterCost:
    """What a cluster takes in a slot; nothing at all if it is skipped."""

    stages: tuple[StageCost, ...]
    micro_batches: int
    upload_s: float
    latency_s: float
    uplink_energy_j: float

    @property
    def bottleneck_s(self) -> float:
        """Longest stage or transfer of a micro-batch."""
        return max(max(stage.compute_s, stage.transfer_s) for stage in self.stages)


SKIPPED = ClusterCost((), 0, 0.0, 0.0, 0.0)


def cluster_cost(segments: Segments, cluster: Cluster, plan: ClusterPlan, gains: Gains) -> ClusterCost:
    """Cost a cluster's plan whose structure is whole."""
    if plan.skipped:
        return SKIPPED
    assert plan.micro_batches is not None
    runs = runs_of(segments, cluster, plan)
    upload_rate = _upload_rate(segments, cluster, plan, gains)
    stages = tuple(
        _stage_cost(segments, cluster, plan, gains, k, run, upload_rate) for k, run in enumerate(runs)
    )
    upload_s = transfer_s(segments.upload_bits, upload_rate)
    filling_s = sum(stage.compute_s + stage.transfer_s for stage in stages)
    bottleneck_s = max(max(stage.compute_s, stage.transfer_s) for stage in stages)
    latency_s = (  # (4)
        cluster.embedding_s
        + filling_s
        + (plan.micro_batches - 1) * bottleneck_s
        + cluster.decoder_s * plan.micro_batches
        + upload_s
    )
    power_w = 0.0 if plan.uplink is None else plan.uplink.power_w
    sending_s = plan.micro_batches * stages[-1].transfer_s + upload_s
    uplink_energy_j = power_w * sending_s if sending_s > 0 else 0.0  # (5)
    return ClusterCost(stages, plan.micro_batches, upload_s, latency_s, uplink_energy_j)


def runs_of(segments: Segments, cluster: Cluster, plan: ClusterPlan) -> list[tuple[int, int, int]]:
    """Device, first and last block of every stage, by index."""
    device_of = {device.id: index for index, device in enumerate(cluster.devices)}
    runs, first = [], 0
    for stage in plan.stages:
        runs.append((device_of[stage.device], first, first + len(stage.layers) - 1))
        first += len(stage.layers)
    return runs


def _upload_rate(segments: Segments, cluster: Cluster, plan: ClusterPlan, gains: Gains) -> float:  # (3)
    if plan.uplink is None or plan.uplink.bandwidth_hz == 0:
        return 0.0
    noise = segments.instance.noise_w_per_hz
    return rate_bit_per_s(plan.uplink.bandwidth_hz, plan.uplink.power_w, gains.uplink[cluster.id], noise)


def _hop_rate(segments: Segments, stage: StagePlan, gains: Gains) -> float:  # (2)
    if not stage.bandwidth_hz or not stage.power_w:
        return 0.0
    return rate_bit_per_s(
        stage.bandwidth_hz, stage.power_w, gains.d2d[stage.device], segments.instance.noise_w_per_hz
    )


def _stage_cost(
    segments: Segments,
    cluster: Cluster,
    plan: ClusterPlan,
    gains: Gains,
    k: int,
    run: tuple[int, int, int],
    upload_rate: float,
) -> StageCost:
    assert plan.micro_batches is not None
    index, first, last = run
    device, stage, is_last = cluster.devices[index], plan.stages[k], k == len(plan.stages) - 1
    compute_s = segments.compute_s(device, first, last)  # (1)
    rate = upload_rate if is_last else _hop_rate(segments, stage, gains)
    hop_s = transfer_s(segments.hop_bits(last), rate)
    sending_j = 0.0 if is_last or hop_s == 0 else (stage.power_w or 0.0) * hop_s
    in_flight = segments.in_flight(plan.micro_batches, len(plan.stages) - k)
    return StageCost(
        device=index,
        first=first,
        last=last,
        compute_s=compute_s,
        transfer_s=hop_s,
        memory_bytes=segments.memory_bytes(first, last, in_flight),
        energy_j=plan.micro_batches * (device.compute_power_w * compute_s + sending_j),  # (5)
    )


def bits_flow(segments: Segments, stages: Sequence[StagePlan], k: int) -> bool:
    """Whether stage k, not the last, sends anything over its hop."""
    last = sum(len(stage.layers) for stage in stages[: k + 1]) - 1
    return segments.hop_bits(last) > 0
