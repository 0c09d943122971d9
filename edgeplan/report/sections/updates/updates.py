"""What devices update and take, and how that is aggregated."""

from __future__ import annotations

from edgeplan.report.content import Block, Cell, Facts, Picture, Table, cut_note
from edgeplan.report.figures.updates.grid import MOST_ROWS, grid_svg
from edgeplan.report.units import bytes_text, counted, percent_text, seconds_text, three_digits
from edgeplan.report.updates.updates import Updates

_MOST_DEVICES, _MOST_COLLECTIVES = 200, 100


def updates_blocks(updates: Updates, suffix: str) -> list[Block]:
    """Lay out the grid, the devices and the collectives."""
    alike = updates.alike
    note = cut_note(min(len(alike), MOST_ROWS), len(alike), "different choices")
    caption = f"Down to its depth a device trains biases; darker are shares of the weights. {note}".strip()
    picture = Picture("Who updates what", grid_svg(f"updates{suffix}", updates), caption)
    return [picture, _devices(updates), _aggregation(updates), _collectives(updates)]


def _devices(updates: Updates) -> Table:
    plans = {plan.id: plan for plan in updates.cost.devices}
    rows = [
        (
            cost.id,
            str(plans[cost.id].depth),
            str(len(plans[cost.id].updates)),
            Cell(bytes_text(cost.memory_bytes), hint=f"{cost.memory_bytes:,} bytes"),
            Cell(percent_text(cost.memory_share), "bad" if cost.memory_share > 1 else ""),
            seconds_text(cost.step_s),
            three_digits(cost.contribution),
        )
        for cost in updates.devices[:_MOST_DEVICES]
    ]
    columns = (
        "device",
        "depth>",
        "weights of layers>",
        "memory>",
        "of what it has>",
        "step>",
        "contribution>",
    )
    note = cut_note(len(rows), len(updates.devices), "devices")
    return Table.of("Devices", columns, rows, note=note, folded=len(rows) > 24)


def _aggregation(updates: Updates) -> Facts:
    total, metrics = updates.cost.aggregation, updates.cost.metrics()
    pairs = [
        ("Time", seconds_text(total.seconds)),
        ("Bytes moved", bytes_text(total.bytes_moved)),
        ("Groups", f"{metrics['num_groups']:,}"),
        ("Collectives", f"{metrics['num_collectives']:,}"),
    ]
    dense = updates.dense
    if dense is not None:
        pairs.append(
            ("Dense, in one all-reduce", f"{seconds_text(dense.seconds)}, {bytes_text(dense.bytes_moved)}")
        )
    return Facts("Aggregation", tuple(pairs))


def _collectives(updates: Updates) -> Table:
    total = len(updates.cost.collectives)
    rows = []
    for k, (one, cost) in enumerate(updates.collectives(), start=1):
        if k > _MOST_COLLECTIVES:
            break
        members = ", ".join(one.members)
        rows.append(
            (
                str(k),
                one.kind.replace("_", "-"),
                Cell(counted(len(one.members), "device"), hint=members[:400]),
                one.root or "–",
                counted(len(one.slices), "slice"),
                bytes_text(cost.bytes_moved),
                seconds_text(cost.seconds),
            )
        )
    columns = ("#>", "kind", "members", "root", "carries", "moved>", "time>")
    note = cut_note(len(rows), total, "collectives")
    return Table.of("Collectives in their one order", columns, rows, note=note, folded=total > 16)
