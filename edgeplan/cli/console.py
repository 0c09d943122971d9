"""Where people read: standard error, with colours and live lines on a terminal only."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

stderr = Console(stderr=True, highlight=False, soft_wrap=True)


def figures(rows: dict[str, str]) -> Table:
    """Return a plain two-column table."""
    table = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        table.add_row(f"[bold]{name}[/bold]", value)
    return table
