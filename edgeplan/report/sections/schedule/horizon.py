"""The slots of a schedule: latency, micro-batches, and how far each decision may be from the best."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from edgeplan.report.content import Block, Cell, Facts, Notice, Picture, Table, cut_note
from edgeplan.report.figures.schedule import gaps, latency, strips
from edgeplan.report.schedule.bins import together_note
from edgeplan.report.schedule.carried import micro_batches_of
from edgeplan.report.schedule.horizon import Horizon
from edgeplan.report.sections.head import gap_text
from edgeplan.report.units import counted, range_text, seconds_text, three_digits

_MOST_ROWS = 200
_ALONG = (
    "Objective and bound are sums over the slots, each for the queues that this run met: they say how good "
    "every decision was, and bound no other policy."
)


def horizon_blocks(horizon: Horizon, suffix: str) -> list[Block]:
    """Lay out what the slots take together and one by one."""
    metrics = horizon.metrics
    blocks: list[Block] = []
    if len(metrics.slots) > 1:
        blocks.append(Notice((_ALONG,), "info"))
    blocks.append(Facts("What it takes", tuple(_facts(horizon))))
    if len(metrics.slots) > 1:
        blocks.append(_latency(horizon, suffix))
        blocks += _micro_batches(horizon, suffix)
        blocks += _gaps(horizon, suffix)
    return blocks


def _facts(horizon: Horizon) -> Iterator[tuple[str, str]]:
    metrics, slots = horizon.metrics, horizon.metrics.slots
    yield "Slots", f"{len(slots):,}"
    yield "Mean latency", seconds_text(metrics.mean_latency_s)
    if len(slots) > 1:
        latencies_s = [slot.latency_s for slot in slots]
        ends = seconds_text(min(latencies_s)), seconds_text(max(latencies_s))
        yield "Least to largest", range_text(*ends)
        late_s = statistics.fmean(latencies_s[len(slots) // 2 :])
        yield "Mean of the second half", seconds_text(late_s)
    yield "Mean gradient noise", three_digits(metrics.mean_noise)
    if horizon.problem is not None:
        yield "Price of time V", f"{horizon.problem.instance.control.tradeoff:g} 1/s"


def _latency(horizon: Horizon, suffix: str) -> Picture:
    latencies_s = [slot.latency_s for slot in horizon.metrics.slots]
    shown = horizon.metrics.median_slot if horizon.plan is not None else None
    svg = latency.latency_svg(f"latency{suffix}", latencies_s, shown)
    caption = together_note(len(latencies_s), latency.MOST_POINTS, "the mean, the band the range, of")
    return Picture("Latency of every slot", svg, caption)


def _micro_batches(horizon: Horizon, suffix: str) -> Iterator[Block]:
    if horizon.plan is None:
        return
    counts = micro_batches_of(horizon.plan)
    most = max((max(some) for some in counts.values()), default=0)
    if most == 0:
        return
    shown = dict(list(counts.items())[: strips.MOST_ROWS])
    panel = strips.Panel("", "slot", list(shown.values()), most)
    alt = f"Micro-batches of {len(shown)} clusters over {len(horizon.metrics.slots)} slots"
    rows = strips.Rows(list(shown))
    svg = strips.strips_svg(f"micro-batches{suffix}", alt, rows, [panel], "micro-batches")
    thinned = together_note(len(horizon.metrics.slots), strips.MOST_COLUMNS, "the mean of")
    notes = (thinned, cut_note(len(shown), len(counts), "clusters"))
    yield Picture("Micro-batches of every cluster", svg, " ".join(note for note in notes if note))
    yield _cluster_table(counts)


def _cluster_table(counts: dict[str, tuple[int, ...]]) -> Table:
    rows = [
        (
            cluster,
            f"{statistics.fmean(some):.3g}",
            range_text(str(min(some)), str(max(some))),
            Cell(f"{some.count(0):,}", "warn") if 0 in some else "0",
        )
        for cluster, some in list(counts.items())[:_MOST_ROWS]
    ]
    columns = ("cluster", "mean micro-batches>", "least to most>", "slots without any>")
    note = cut_note(len(rows), len(counts), "clusters")
    return Table.of("Micro-batches in figures", columns, rows, note=note, folded=True)


def _gaps(horizon: Horizon, suffix: str) -> Iterator[Block]:
    num_slots = len(horizon.metrics.slots)
    if horizon.worst_gap is None:
        known = sum(gap is not None for gap in horizon.gaps)
        yield Notice((f"A bound is known of {known:,} of {counted(num_slots, 'slot')}.",), "warn")
        return
    if horizon.num_proven == num_slots:
        yield Notice((f"Every one of the {num_slots:,} decisions is proven to be the best one.",), "good")
        return
    known_gaps = [gap for gap in horizon.gaps if gap is not None]
    worst = known_gaps.index(horizon.worst_gap) + 1
    median = statistics.median(known_gaps)
    caption = (
        f"{horizon.num_proven:,} of {num_slots:,} slots are proven; the median gap is "
        f"{gap_text(median)}, the worst {gap_text(horizon.worst_gap)} in slot {worst:,}. "
    ) + together_note(num_slots, gaps.MOST_POINTS, "the worst of")
    svg = gaps.gaps_svg(f"gaps{suffix}", known_gaps)
    yield Picture("Gap of every slot", svg, caption)
