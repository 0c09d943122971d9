"""A sweep over the trade-off V: whether latency falls like 1/V and queues grow like V."""

from __future__ import annotations

from collections.abc import Iterator

from edgeplan.models.segment_scheduling.sweep import Sweep, SweepPoint
from edgeplan.report.content import Block, Cell, Notice, Picture, Section, Table, Tile, cut_note
from edgeplan.report.figures.schedule.sweep import sweep_svg
from edgeplan.report.schedule.trade_off import (
    STATIONARY,
    TradeOff,
    bound_text,
    excess_text,
    hundredths_text,
    run_excess_s,
)
from edgeplan.report.units import (
    counted,
    percent_text,
    range_text,
    seconds_text,
    three_digits,
)

_MOST_ROWS = 200
_CAPTION = (
    "The late bound holds for every policy that keeps the budgets in the second half, so the largest counts "
    "at every V: late latency is set against it. All slots are set against the bound of their run, "
    "which also holds for policies that end with its queues. Distances level off where bound and optimum "
    "part."
)


def sweep_section(sweep: Sweep, suffix: str, *, knows_instance: bool) -> Section:
    """Lay out one sweep; `suffix` keeps anchors of several apart."""
    trade_off = TradeOff.of(sweep)
    asked = len(sweep.points) + len(sweep.failed)
    lead = f"{counted(asked, 'trade-off')}, each over {counted(sweep.slots, 'slot')}."
    blocks: list[Block] = list(_notices(sweep, trade_off, knows_instance=knows_instance))
    if trade_off.points:
        svg = sweep_svg(f"sweep{suffix}", trade_off)
        blocks.append(Picture("Latency and queues over the price of time", svg, _caption(trade_off)))
        blocks.append(_table(trade_off))
    return Section(f"sweep{suffix}", f"Sweep{suffix.replace('-', ' ')}", lead, tuple(blocks))


def _notices(sweep: Sweep, trade_off: TradeOff, *, knows_instance: bool) -> Iterator[Notice]:
    if sweep.failed:
        failed = tuple(f"V = {point.tradeoff:g}: {point.reason}" for point in sweep.failed)
        yield Notice((f"{counted(len(failed), 'trade-off')} without a plan.", *failed), "bad")
    if trade_off.points:
        yield Notice(tuple(trade_off.findings()), "info")
    still_open = sum(point.open_slots for point in trade_off.points)
    if still_open:
        share = f"{still_open:,} of {len(trade_off.points) * sweep.slots:,} slots"
        yield Notice(
            (f"{share} were not solved to the gap asked for; more time may change the curves.",), "warn"
        )
    if not knows_instance:
        yield Notice(("The instance is not among the files; the sweep alone is shown.",), "info")


def _caption(trade_off: TradeOff) -> str:
    parts = [_CAPTION]
    if trade_off.best_bound_s is None:
        parts.append("No bound is above 0 here, so none is drawn.")
    if trade_off.unsettled:
        hollow = f"a budget is exceeded by more than {percent_text(STATIONARY)} late"
        parts.append(f"Hollow: {hollow}; the run has not settled, or no policy keeps the budgets.")
    if trade_off.undercutting:
        below = ", ".join(f"{point.tradeoff:g}" for point in trade_off.undercutting)
        parts.append(f"Below the bound, by exceeding budgets: V = {below}.")
    return " ".join(parts)


_COLUMNS = (
    "V in 1/s>",
    "mean latency>",
    "late latency>",
    "late bound>",
    "late above the largest>",
    "bound of the run>",
    "mean above it>",
    "late queues>",
    "budget exceeded>",
    "late>",
    "open slots>",
)


def _table(trade_off: TradeOff) -> Table:
    rows = [_row(trade_off, point) for point in trade_off.points[:_MOST_ROWS]]
    note = "Queues are in budgets, all together. " + cut_note(len(rows), len(trade_off.points), "trade-offs")
    return Table.of("Trade-offs in figures", _COLUMNS, rows, note=note.strip())


def _row(trade_off: TradeOff, point: SweepPoint) -> tuple[str | Cell, ...]:
    return (
        f"{point.tradeoff:g}",
        seconds_text(point.mean_latency_s),
        seconds_text(point.late_latency_s),
        bound_text(point.late_bound_s),
        excess_text(trade_off, point),
        bound_text(point.run_bound_s),
        seconds_text(run_excess_s(point)),
        three_digits(point.late_queue),
        hundredths_text(point.worst_violation),
        Cell(hundredths_text(point.late_violation), "warn" if point.late_violation > STATIONARY else ""),
        Cell(f"{point.open_slots:,}", "warn" if point.open_slots else ""),
    )


def sweep_tiles(sweep: Sweep) -> tuple[Tile, ...]:
    """Show how far V, latency and queues range."""
    points = TradeOff.of(sweep).points
    tiles = [Tile("Trade-offs", f"{len(points)}", _range([f"{point.tradeoff:g}" for point in points]))]
    if points:
        latencies = [seconds_text(point.late_latency_s) for point in points]
        tiles.append(Tile("Late latency", latencies[-1], f"at V = {points[-1].tradeoff:g}"))
        tiles.append(
            Tile(
                "Late queues", three_digits(points[-1].late_queue), f"budgets, at V = {points[-1].tradeoff:g}"
            )
        )
    if sweep.failed:
        tiles.append(Tile("Without a plan", f"{len(sweep.failed)}", "trade-offs", "bad"))
    return tuple(tiles)


def _range(texts: list[str]) -> str:
    return f"V {range_text(texts[0], texts[-1])} 1/s" if texts else "none has a plan"
