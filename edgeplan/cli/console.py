"""Where people read, with colours and live lines on a terminal only."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

_FILE_WIDTH = 110  # where nobody looks at a terminal

stderr = Console(
    stderr=True, highlight=False, soft_wrap=True, width=None if sys.stderr.isatty() else _FILE_WIDTH
)

stdout = Console(highlight=False, width=None if sys.stdout.isatty() else _FILE_WIDTH)


def figures(rows: dict[str, str]) -> Table:
    """Return a plain two-column table."""
    table = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        table.add_row(f"[bold]{name}[/bold]", value)
    return table
