"""A sweep as people read it: a row a trade-off, growing while it runs on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table

from edgeplan.cli.console import stderr
from edgeplan.models.segment_scheduling.sweep import Sweep, SweepPoint
from edgeplan.report.schedule.trade_off import STATIONARY, TradeOff, bound_text, excess_text, hundredths_text
from edgeplan.report.units import counted, seconds_text, three_digits

OnStep = Callable[[Sequence[SweepPoint], float | None, float], None]
"""Called with the points so far, the trade-off that begins (None at the end), and the seconds it has."""

_COLUMNS = (
    "V",
    "mean T",
    "late T",
    "bound",
    "late above",
    "run bound",
    "queues",
    "over",
    "late over",
    "open",
)
_LEGEND = (
    "late: second half; bound: late, no policy that keeps the budgets is below it; run bound: mean T of any "
    "policy that ends with the queues of the run is above it; queues: late, in budgets; over: excess over a "
    "budget; open: slots not solved to the gap"
)


@contextmanager
def live(values: Sequence[float]) -> Iterator[OnStep]:
    """Show the points as they come, on a terminal only."""
    if not stderr.is_terminal:
        yield lambda points, value, share_s: None
        return
    with Live(console=stderr, transient=True, refresh_per_second=4) as screen:

        def show_step(points: Sequence[SweepPoint], value: float | None, share_s: float) -> None:
            if value is None:
                return
            number = f"V = {value:g}, {values.index(value) + 1} of {len(values)}"
            line = f"{number}, at most {seconds_text(share_s)}  (Ctrl-C keeps what is done)"
            spinner = Spinner("dots", line)
            screen.update(Group(_table(TradeOff(points)), spinner) if points else spinner, refresh=True)

        yield show_step


def show(swept: Sweep) -> None:
    """Print the sweep to standard error."""
    trade_off = TradeOff.of(swept)
    stderr.print(f"[bold]{escape(swept.name)}[/bold]: {counted(swept.slots, 'slot')} each")
    if trade_off.points:
        stderr.print(_table(trade_off), soft_wrap=False)
        stderr.print(_LEGEND, style="dim")
        for sentence in trade_off.findings():
            stderr.print(sentence)
    for point in swept.failed:
        stderr.print(f"[red]V = {point.tradeoff:g}[/red]: {escape(point.reason)}")


def _table(trade_off: TradeOff) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for point in trade_off.points:
        table.add_row(*_row(trade_off, point))
    return table


def _row(trade_off: TradeOff, point: SweepPoint) -> Iterator[str]:
    yield f"{point.tradeoff:g}"
    yield seconds_text(point.mean_latency_s)
    yield seconds_text(point.late_latency_s)
    yield bound_text(point.late_bound_s)
    yield excess_text(trade_off, point)
    yield bound_text(point.run_bound_s)
    yield three_digits(point.late_queue)
    yield hundredths_text(point.worst_violation)
    yield _warned(hundredths_text(point.late_violation), point.late_violation > STATIONARY)
    yield _warned(f"{point.open_slots:,}", point.open_slots > 0)


def _warned(text: str, is_bad: bool) -> str:
    return f"[yellow]{text}[/yellow]" if is_bad else text
