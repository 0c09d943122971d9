"""A schedule of slots: latency, budgets and queues; and the clusters that it is for."""

from __future__ import annotations

from collections.abc import Iterator

from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.models.segment_scheduling.instance import NOISE, Cluster
from edgeplan.models.segment_scheduling.queues import budgets_j
from edgeplan.report.content import Block, Cell, Facts, Picture, Section, Table, cut_note
from edgeplan.report.figures.slots import latency_svg, queues_svg
from edgeplan.report.schedule_metrics import ScheduleMetrics
from edgeplan.report.units import bytes_text, counted, decimal_text, percent_text, seconds_text, three_digits

_MOST_ROWS = 200
_MOST_QUEUES = 6


def schedule_blocks(metrics: ScheduleMetrics, problem: SegmentScheduling | None, suffix: str) -> list[Block]:
    """Lay out what the slots take; budgets only with the instance that states them."""
    pairs = (
        ("Slots", f"{len(metrics.slots):,}"),
        ("Mean latency", seconds_text(metrics.mean_latency_s)),
        ("Mean gradient noise", three_digits(metrics.mean_noise)),
    )
    blocks: list[Block] = [Facts("What it takes", pairs)]
    if len(metrics.slots) > 1:
        svg = latency_svg(f"latency{suffix}", [slot.latency_s for slot in metrics.slots])
        blocks.append(Picture("Latency of every slot", svg))
    if problem is not None:
        blocks += _queues(metrics, problem, suffix)
        blocks.append(_budgets(metrics, problem))
    return blocks


def _all_budgets(problem: SegmentScheduling) -> dict[str, float]:
    return {**budgets_j(problem.instance), NOISE: problem.instance.control.noise_budget}


def _queues(metrics: ScheduleMetrics, problem: SegmentScheduling, suffix: str) -> Iterator[Block]:
    budgets = _all_budgets(problem)
    longest = sorted(
        (name for name in budgets if metrics.max_queue.get(name, 0) > 0),
        key=lambda name: -metrics.max_queue[name] / budgets[name],
    )[:_MOST_QUEUES]
    if not longest or len(metrics.slots) < 2:
        return
    lengths = {name: [slot.queues.get(name, 0) / budgets[name] for slot in metrics.slots] for name in longest}
    caption = "Each in its own budget; a queue that ends level keeps its budget in the long run."
    yield Picture("Longest queues", queues_svg(f"queues{suffix}", lengths), caption)


def _budgets(metrics: ScheduleMetrics, problem: SegmentScheduling) -> Table:
    budgets, means = _all_budgets(problem), {**metrics.mean_energy_j, NOISE: metrics.mean_noise}
    over = metrics.budget_violation
    names = sorted(budgets, key=lambda name: -over.get(name, 0))
    rows = [
        (
            name,
            decimal_text(budgets[name], "" if name == NOISE else "J"),
            decimal_text(means.get(name), "" if name == NOISE else "J"),
            Cell(percent_text(over[name]), "bad") if over.get(name) else Cell("kept", "good"),
            decimal_text(metrics.max_queue.get(name), "" if name == NOISE else "J"),
        )
        for name in names[:_MOST_ROWS]
    ]
    columns = ("device, control unit or noise", "budget a slot>", "mean>", "exceeded by>", "longest queue>")
    note = cut_note(len(rows), len(names), "budgets")
    return Table.of("Budgets, the most exceeded first", columns, rows, note=note)


def clusters_section(problem: SegmentScheduling) -> Section:
    """Lay out the clusters and their devices."""
    clusters = problem.instance.clusters
    num_devices = sum(len(cluster.devices) for cluster in clusters)
    rows = [row for cluster in clusters for row in _device_rows(cluster)][:_MOST_ROWS]
    columns = ("cluster", "device", "speed>", "memory>", "computing>", "sending at most>", "energy a slot>")
    table = Table.of("Devices", columns, rows, note=cut_note(len(rows), num_devices, "devices"))
    lead = f"{counted(len(clusters), 'cluster')} of {counted(num_devices, 'device')} together."
    return Section("clusters", "Clusters", lead, (table,))


def _device_rows(cluster: Cluster) -> Iterator[tuple[str, ...]]:
    for device in cluster.devices:
        yield (
            cluster.id,
            device.id,
            decimal_text(device.flops_per_s, "FLOP/s"),
            bytes_text(device.memory_bytes),
            decimal_text(device.compute_power_w, "W"),
            decimal_text(device.max_power_w, "W") if device.max_power_w >= 1 else f"{device.max_power_w:g} W",
            decimal_text(device.energy_budget_j, "J"),
        )
