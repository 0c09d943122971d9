"""Budgets and queues: what is spent in the mean, and what is owed."""

from __future__ import annotations

from collections.abc import Iterator

from edgeplan.models.segment_scheduling.instance import NOISE
from edgeplan.report.content import Block, Cell, Picture, Section, Table, cut_note
from edgeplan.report.figures.schedule import queues
from edgeplan.report.figures.schedule.budgets import budgets_svg
from edgeplan.report.schedule.bins import together_note
from edgeplan.report.schedule.horizon import Budget, Horizon
from edgeplan.report.units import counted, decimal_text, percent_text

_MOST_ROWS = 200
_MOST_BARS = 40
_MOST_QUEUES = 6
_TOLERANCE = 1e-9
_FINITE = (
    "Over all slots together a budget is exceeded by no more than its queue has grown; a queue that stays "
    "level keeps its budget in the long run."
)


def budgets_section(horizon: Horizon, suffix: str) -> Section | None:
    """Lay out the budgets; None without the instance that states them."""
    budgets = horizon.budgets
    if not budgets:
        return None
    exceeded = sum(budget.share > 1 + _TOLERANCE for budget in budgets)
    lead = f"{exceeded:,} of {counted(len(budgets), 'budget')} exceeded in the mean, the noise among them."
    if not exceeded:
        lead = f"All {counted(len(budgets), 'budget')} are kept in the mean, the noise among them."
    blocks: list[Block] = [_bars(horizon, suffix), *_queues(horizon, suffix), _table(horizon)]
    return Section(f"budgets{suffix}", "Budgets and queues", lead, tuple(blocks))


def _bars(horizon: Horizon, suffix: str) -> Picture:
    shown = horizon.budgets[:_MOST_BARS]
    texts = [f"{_amount(one.name, one.mean)} of {_amount(one.name, one.allowed)}" for one in shown]
    note = ""
    if len(shown) < len(horizon.budgets):
        note = f"Shows the {len(shown)} most loaded of {len(horizon.budgets):,} budgets. "
    svg = budgets_svg(f"budget-bars{suffix}", shown, texts)
    return Picture("Mean of a slot against budget", svg, note + _FINITE)


def _amount(name: str, value: float | None) -> str:
    return decimal_text(value, "" if name == NOISE else "J")


def _queues(horizon: Horizon, suffix: str) -> Iterator[Block]:
    metrics, allowed = horizon.metrics, horizon.allowed
    longest = sorted(
        (name for name in allowed if metrics.max_queue.get(name, 0) > 0),
        key=lambda name: -metrics.max_queue[name] / allowed[name],
    )[:_MOST_QUEUES]
    if not longest or len(metrics.slots) < 2:
        return
    lengths = {name: [slot.queues.get(name, 0) / allowed[name] for slot in metrics.slots] for name in longest}
    thinned = together_note(len(metrics.slots), queues.MOST_POINTS, "the last of")
    caption = f"Each in its own budget. {thinned}".strip()
    yield Picture("Longest queues", queues.queues_svg(f"queues{suffix}", lengths), caption)


def _table(horizon: Horizon) -> Table:
    rows = [_row(budget, horizon) for budget in horizon.budgets[:_MOST_ROWS]]
    columns = ("device, control unit or noise", "budget a slot>", "mean>", "exceeded by>", "longest queue>")
    note = cut_note(len(rows), len(horizon.budgets), "budgets")
    title = "Budgets, the most exceeded first"
    return Table.of(title, columns, rows, note=note, folded=len(rows) > 16)


def _row(budget: Budget, horizon: Horizon) -> tuple[str | Cell, ...]:
    name, over = budget.name, budget.share - 1
    return (
        name,
        _amount(name, budget.allowed),
        _amount(name, budget.mean),
        Cell(percent_text(over), "bad") if over > _TOLERANCE else Cell("kept", "good"),
        _amount(name, horizon.metrics.max_queue.get(name)),
    )
