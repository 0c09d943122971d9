"""Who carries what: blocks of every device over the slots."""

from __future__ import annotations

from collections.abc import Sequence

from edgeplan.report.content import Cell, Picture, Section, Table, cut_note
from edgeplan.report.figures.schedule import strips
from edgeplan.report.schedule.bins import together_note
from edgeplan.report.schedule.carried import Carried, carried_of
from edgeplan.report.schedule.horizon import Horizon
from edgeplan.report.units import UNKNOWN, counted, percent_text

_MOST_ROWS = 200
_FEW = 24


def carried_section(horizon: Horizon, suffix: str) -> Section | None:
    """Lay out which device carries which blocks; None without a plan that is whole."""
    if horizon.plan is None or not horizon.plan.slots:
        return None
    devices = carried_of(horizon.plan, horizon.problem)
    idle = sum(device.active_slots == 0 for device in devices)
    rest = f"{idle:,} of them idle in every slot" if idle else "none of them idle in every slot"
    lead = f"{counted(len(devices), 'device')}, {rest}."
    picture = _picture(_drawn(devices), devices, len(horizon.plan.slots), suffix)
    return Section(f"carried{suffix}", "Who carries what", lead, (picture, _table(devices)))


def _drawn(devices: Sequence[Carried]) -> list[Carried]:
    """Devices that are drawn: of many those that are ever active, of very many the most active; in order."""
    if len(devices) > _FEW:
        devices = [device for device in devices if device.active_slots] or devices
    order = sorted(range(len(devices)), key=lambda k: -devices[k].active_slots)
    return [devices[k] for k in sorted(order[: strips.MOST_ROWS])]


def _picture(drawn: Sequence[Carried], devices: Sequence[Carried], num_slots: int, suffix: str) -> Picture:
    most = max(1, *(max(device.by_slot) for device in drawn))
    panels = [
        strips.Panel("blocks in every slot", "slot", [device.by_slot for device in drawn], most, 2.4),
        strips.Panel("share of the slots", "block", [device.by_block for device in drawn], 1.0),
    ]
    begins = [k for k in range(1, len(drawn)) if drawn[k].cluster != drawn[k - 1].cluster]
    alt = f"Blocks of {len(drawn)} devices over {num_slots} slots, and how often each carries each block"
    rows = strips.Rows([device.device for device in drawn], begins)
    svg = strips.strips_svg(f"carried{suffix}-strips", alt, rows, panels, "blocks")
    notes = ["On the right, the stronger the colour, the more often the device carries the block."]
    notes.append(together_note(num_slots, strips.MOST_COLUMNS, "the mean of"))
    active = sum(device.active_slots > 0 for device in devices)
    if len(drawn) < len(devices):
        which = "are ever active" if len(drawn) == active else "are active most often"
        notes.append(f"Shows the {len(drawn)} of {len(devices):,} devices that {which}.")
    return Picture("Blocks over the slots", svg, " ".join(note for note in notes if note))


def _table(devices: Sequence[Carried]) -> Table:
    rows = [_row(device) for device in devices[:_MOST_ROWS]]
    columns = ("cluster", "device", "active slots>", "share>", "mean blocks when active>", "most>")
    note = cut_note(len(rows), len(devices), "devices")
    return Table.of("Devices over the slots", columns, rows, note=note, folded=len(rows) > 16)


def _row(device: Carried) -> tuple[str | Cell, ...]:
    mean = device.mean_blocks
    return (
        device.cluster,
        device.device,
        f"{device.active_slots:,}",
        Cell("idle", "quiet")
        if mean is None
        else Cell(percent_text(device.active_slots / len(device.by_slot))),
        UNKNOWN if mean is None else f"{mean:.3g}",
        str(max(device.by_slot)),
    )
