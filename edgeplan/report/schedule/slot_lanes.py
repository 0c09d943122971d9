"""One slot of every cluster as lanes of a Gantt chart, micro-batch by micro-batch, by equation (4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgeplan.models.segment_scheduling.cluster_cost import ClusterCost, StageCost
from edgeplan.models.segment_scheduling.instance import Cluster
from edgeplan.report.lanes import MAX_MICRO_BATCHES, Span

KINDS = ("embedding", "computing", "hop", "uplink", "decoder", "upload of the parameters")
EMBEDDING, COMPUTING, HOP, UPLINK, DECODER, UPLOAD = KINDS


@dataclass(frozen=True, slots=True)
class SlotLane:
    """A row: the control unit with the server, or a stage with the link behind it."""

    label: str
    spans: tuple[Span, ...]
    begins_cluster: bool = False


def cluster_lanes(cluster: Cluster, cost: ClusterCost) -> tuple[SlotLane, ...]:
    """Lay out a cluster: what happens once a slot, then its stages; the last bar ends at its latency.

    The decoder's work on all micro-batches is one bar behind the pipeline, as in equation (4).
    """
    if not cost.stages:
        return (SlotLane(f"{cluster.id}: skipped", (), begins_cluster=True),)
    bottleneck_s = cost.bottleneck_s
    pipeline_end_s = cluster.embedding_s + sum(stage.compute_s + stage.transfer_s for stage in cost.stages)
    pipeline_end_s += (cost.micro_batches - 1) * bottleneck_s
    decoded_s = pipeline_end_s + cost.micro_batches * cluster.decoder_s
    once = (
        Span(EMBEDDING, 0.0, cluster.embedding_s),
        Span(DECODER, pipeline_end_s, decoded_s - pipeline_end_s),
        Span(UPLOAD, decoded_s, cost.upload_s),
    )
    label = f"{cluster.id}: {cost.micro_batches} micro-batch{'es' if cost.micro_batches > 1 else ''}"
    head = SlotLane(label, once, begins_cluster=True)
    return (head, *_stage_lanes(cluster, cost.stages, cost.micro_batches, bottleneck_s))


def _stage_lanes(
    cluster: Cluster, stages: Sequence[StageCost], micro_batches: int, bottleneck_s: float
) -> Iterator[SlotLane]:
    begin_s = cluster.embedding_s
    for k, stage in enumerate(stages, start=1):
        link = UPLINK if k == len(stages) else HOP
        starts_s = [begin_s + m * bottleneck_s for m in range(min(micro_batches, MAX_MICRO_BATCHES))]
        spans = [Span(COMPUTING, at, stage.compute_s) for at in starts_s]
        spans += [Span(link, at + stage.compute_s, stage.transfer_s) for at in starts_s]
        yield SlotLane(cluster.devices[stage.device].id, tuple(spans))
        begin_s += stage.compute_s + stage.transfer_s


def slowest(costs: Sequence[ClusterCost], most_rows: int) -> list[int]:
    """Indices, ascending, of the slowest clusters whose rows fit; at least one.

    Examples
    --------
    >>> from edgeplan.models.segment_scheduling.cluster_cost import SKIPPED, ClusterCost
    >>> slowest([SKIPPED, ClusterCost((), 1, 0.0, 2.0, 0.0), SKIPPED], most_rows=2)
    [0, 1]
    """
    chosen, rows = list[int](), 0
    for n in sorted(range(len(costs)), key=lambda n: -costs[n].latency_s):
        rows += 1 + len(costs[n].stages)
        if chosen and rows > most_rows:
            break
        chosen.append(n)
    return sorted(chosen)
