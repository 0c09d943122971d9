"""One slot in full: every cluster's pipeline over time, and what its links take of band and power."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.models.segment_scheduling.cluster_cost import ClusterCost, StageCost
from edgeplan.models.segment_scheduling.instance import Cluster
from edgeplan.models.segment_scheduling.plan import ClusterPlan, StagePlan
from edgeplan.models.segment_scheduling.slot_cost import SlotCost, slot_cost
from edgeplan.report.content import Block, Cell, Notice, Picture, Section, Table, cut_note
from edgeplan.report.figures.schedule.shares import LinkShare, shares_svg
from edgeplan.report.figures.schedule.slot_gantt import slot_gantt_svg
from edgeplan.report.lanes import MAX_MICRO_BATCHES
from edgeplan.report.schedule.horizon import Horizon
from edgeplan.report.schedule.slot_lanes import cluster_lanes, slowest
from edgeplan.report.units import (
    UNKNOWN,
    bytes_text,
    decimal_text,
    percent_text,
    run_text,
    seconds_text,
    three_digits,
)

_MOST_LANES = 40
_MOST_LINKS = 40
_MOST_ROWS = 200
_TIE = 1e-6


@dataclass(frozen=True)
class _Shown:
    """A cluster in the slot that is shown."""

    cluster: Cluster
    plan: ClusterPlan
    cost: ClusterCost


def slot_section(horizon: Horizon, suffix: str) -> Section | None:
    """Lay out the slot of median latency; None without a plan that is whole."""
    t = horizon.metrics.median_slot
    if t is None or horizon.plan is None:
        return None
    latency, num_slots = seconds_text(horizon.metrics.slots[t].latency_s), len(horizon.metrics.slots)
    lead = f"The only slot, which takes {latency}."
    if num_slots > 1:
        lead = f"Slot {t + 1:,} of {num_slots:,}: the one of median latency, {latency}."
    blocks: tuple[Block, ...] = (Notice(("Name the instance too, and its pipelines are drawn here.",)),)
    if horizon.problem is not None:
        blocks = tuple(_blocks(horizon.problem, horizon.plan, t, suffix))
    return Section(f"slot{suffix}", "One slot", lead, blocks)


def _blocks(problem: SegmentScheduling, plan: SegmentPlan, t: int, suffix: str) -> Iterator[Block]:
    cost = _cost_of(problem, plan, t)
    entry_of = {entry.id: entry for entry in plan.slots[t].clusters}
    clusters = [
        _Shown(cluster, entry_of[cluster.id], taken)
        for cluster, taken in zip(problem.instance.clusters, cost.clusters, strict=True)
    ]
    drawn = [clusters[n] for n in slowest(cost.clusters, _MOST_LANES)]
    yield _gantt(drawn, clusters, cost.latency_s, suffix)
    links = [link for shown in drawn for link in _links(problem, shown)]
    if links:
        yield _shares(links[:_MOST_LINKS], len(links), suffix)
    yield _stage_table(clusters)
    yield _uplink_table(clusters, cost.latency_s)


def _cost_of(problem: SegmentScheduling, plan: SegmentPlan, t: int) -> SlotCost:
    """Cost one slot alone; its queues do not matter to times."""
    gains = next(islice(problem.gains(), t, None))
    return slot_cost(problem.segments, plan.slots[t], gains, problem.initial_queues)


def _gantt(drawn: Sequence[_Shown], clusters: Sequence[_Shown], latency_s: float, suffix: str) -> Picture:
    lanes = [lane for shown in drawn for lane in cluster_lanes(shown.cluster, shown.cost)]
    notes = [
        "Links stand below the stage that sends; forward and backward work of a micro-batch are one bar.",
        "The decoder's work on all micro-batches is one bar behind the pipeline, as in equation (4).",
    ]
    if len(drawn) < len(clusters):
        notes.append(f"Shows the {len(drawn)} slowest of {len(clusters):,} clusters.")
    if any(shown.cost.micro_batches > MAX_MICRO_BATCHES for shown in drawn):
        notes.append(f"Of more micro-batches the first {MAX_MICRO_BATCHES} are drawn.")
    svg = slot_gantt_svg(f"slot-gantt{suffix}", lanes, latency_s)
    return Picture("The slot as a Gantt chart", svg, " ".join(notes))


def _links(problem: SegmentScheduling, shown: _Shown) -> Iterator[LinkShare]:
    """Hops of the cluster in pipeline order, then its uplink."""
    cluster, stages = shown.cluster, shown.plan.stages
    power_of = {device.id: device.max_power_w for device in cluster.devices}
    for k, stage in enumerate(stages[:-1]):
        yield LinkShare(
            label=f"{stage.device} to {stages[k + 1].device}",
            is_uplink=False,
            band=_share(stage.bandwidth_hz, cluster.d2d_bandwidth_hz),
            power=_share(stage.power_w, power_of[stage.device]),
            band_text=decimal_text(stage.bandwidth_hz or 0.0, "Hz"),
            power_text=_watt_text(stage.power_w),
            begins_cluster=k == 0,
        )
    if shown.plan.uplink is not None:
        uplink = shown.plan.uplink
        yield LinkShare(
            label=f"{cluster.id} to the server",
            is_uplink=True,
            band=_share(uplink.bandwidth_hz, problem.instance.uplink_bandwidth_hz),
            power=_share(uplink.power_w, cluster.uplink_max_power_w),
            band_text=decimal_text(uplink.bandwidth_hz, "Hz"),
            power_text=_watt_text(uplink.power_w),
            begins_cluster=len(stages) < 2,
        )


def _share(part: float | None, whole: float) -> float:
    return (part or 0.0) / whole if whole > 0 else 0.0


def _watt_text(power_w: float | None) -> str:
    return UNKNOWN if power_w is None else f"{three_digits(power_w)} W"


def _shares(links: Sequence[LinkShare], num_links: int, suffix: str) -> Picture:
    how = "Hops share the band of their cluster, uplinks that of the server."
    caption = f"{how} {cut_note(len(links), num_links, 'links')}".strip()
    svg = shares_svg(f"shares{suffix}", links)
    return Picture("Bands and powers of the slot", svg, caption)


_STAGE_COLUMNS = (
    "cluster",
    "device",
    "blocks",
    "number>",
    "compute>",
    "transfer>",
    "memory>",
    "of the device>",
    "energy>",
    "of the budget>",
)


def _stage_table(clusters: Sequence[_Shown]) -> Table:
    rows = [
        _stage_row(shown, stage, cost)
        for shown in clusters
        for stage, cost in zip(shown.plan.stages, shown.cost.stages, strict=True)
    ]
    note = "Times are those of one micro-batch, the transfer that of the link behind the stage."
    note = f"{note} {cut_note(min(len(rows), _MOST_ROWS), len(rows), 'stages')}".strip()
    return Table.of("Stages of the slot", _STAGE_COLUMNS, rows[:_MOST_ROWS], note=note)


def _stage_row(shown: _Shown, stage: StagePlan, cost: StageCost) -> tuple[str | Cell, ...]:
    device = shown.cluster.devices[cost.device]
    spent = cost.energy_j / device.energy_budget_j
    return (
        shown.cluster.id,
        stage.device,
        Cell(run_text(stage.layers), hint=", ".join(stage.layers[:50])),
        str(len(stage.layers)),
        seconds_text(cost.compute_s),
        seconds_text(cost.transfer_s),
        bytes_text(cost.memory_bytes),
        percent_text(cost.memory_bytes / device.memory_bytes),
        decimal_text(cost.energy_j, "J"),
        Cell(percent_text(spent), "warn" if spent > 1 else ""),
    )


_UPLINK_COLUMNS = (
    "cluster",
    "micro-batches>",
    "bottleneck>",
    "a micro-batch up>",
    "parameters up>",
    "latency>",
    "before the slowest>",
    "energy>",
    "of the budget>",
)


def _uplink_table(clusters: Sequence[_Shown], latency_s: float) -> Table:
    last = [shown for shown in clusters if _is_last(shown, latency_s)]
    alone = last[0] if len(last) == 1 < len(clusters) else None
    rows = [_uplink_row(shown, latency_s, is_alone=shown is alone) for shown in clusters[:_MOST_ROWS]]
    note = cut_note(len(rows), len(clusters), "clusters")
    return Table.of("Clusters of the slot", _UPLINK_COLUMNS, rows, note=note)


def _is_last(shown: _Shown, latency_s: float) -> bool:
    return shown.cost.latency_s >= latency_s * (1 - _TIE)


def _uplink_row(shown: _Shown, latency_s: float, *, is_alone: bool) -> tuple[str | Cell, ...]:
    cost, cluster = shown.cost, shown.cluster
    if not cost.stages:
        return (cluster.id, Cell("skipped", "warn"), *[UNKNOWN] * 7)
    spent = cost.uplink_energy_j / cluster.uplink_energy_budget_j
    behind = Cell("0 s", "quiet") if _is_last(shown, latency_s) else seconds_text(latency_s - cost.latency_s)
    return (
        cluster.id,
        str(cost.micro_batches),
        seconds_text(cost.bottleneck_s),
        seconds_text(cost.stages[-1].transfer_s),
        seconds_text(cost.upload_s),
        seconds_text(cost.latency_s),
        Cell("slowest", "info") if is_alone else behind,
        decimal_text(cost.uplink_energy_j, "J"),
        Cell(percent_text(spent), "warn" if spent > 1 else ""),
    )
