"""The clusters that a schedule is for, and their devices."""

from __future__ import annotations

from collections.abc import Iterator

from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.models.segment_scheduling.instance import Cluster
from edgeplan.report.content import Section, Table, cut_note
from edgeplan.report.units import bytes_text, counted, decimal_text, seconds_text, three_digits

_MOST_ROWS = 200


def clusters_section(problem: SegmentScheduling) -> Section:
    """Lay out the clusters and their devices."""
    clusters = problem.instance.clusters
    num_devices = sum(len(cluster.devices) for cluster in clusters)
    size = f"{counted(len(clusters), 'cluster')} of {counted(num_devices, 'device')} together"
    lead = f"{size}; the uplinks share {decimal_text(problem.instance.uplink_bandwidth_hz, 'Hz')}."
    return Section("clusters", "Clusters", lead, (_cluster_table(clusters), _device_table(clusters)))


def _cluster_table(clusters: tuple[Cluster, ...]) -> Table:
    rows = [
        (
            cluster.id,
            str(len(cluster.devices)),
            cluster.node_order,
            decimal_text(cluster.d2d_bandwidth_hz, "Hz"),
            f"{three_digits(cluster.uplink_max_power_w)} W",
            decimal_text(cluster.uplink_energy_budget_j, "J"),
            seconds_text(cluster.embedding_s),
            seconds_text(cluster.decoder_s),
        )
        for cluster in clusters[:_MOST_ROWS]
    ]
    columns = (
        "cluster",
        "devices>",
        "order",
        "band of the hops>",
        "uplink at most>",
        "its energy a slot>",
        "embedding a slot>",
        "decoder a micro-batch>",
    )
    note = cut_note(len(rows), len(clusters), "clusters")
    return Table.of("Clusters and control units", columns, rows, note=note, folded=len(rows) > 16)


def _device_table(clusters: tuple[Cluster, ...]) -> Table:
    rows = [row for cluster in clusters for row in _device_rows(cluster)]
    columns = ("cluster", "device", "speed>", "memory>", "computing>", "sending at most>", "energy a slot>")
    note = cut_note(min(len(rows), _MOST_ROWS), len(rows), "devices")
    return Table.of("Devices", columns, rows[:_MOST_ROWS], note=note, folded=len(rows) > 16)


def _device_rows(cluster: Cluster) -> Iterator[tuple[str, ...]]:
    for device in cluster.devices:
        yield (
            cluster.id,
            device.id,
            decimal_text(device.flops_per_s, "FLOP/s"),
            bytes_text(device.memory_bytes),
            f"{three_digits(device.compute_power_w)} W",
            f"{three_digits(device.max_power_w)} W",
            decimal_text(device.energy_budget_j, "J"),
        )
