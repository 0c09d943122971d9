"""What the tables of run reports are made of: predicted beside measured, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table
from rich.text import Text


def titled(title: str, *columns: str) -> Table:
    """Return an empty table; figures stand to the right of the first column's names."""
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    return table


def remarks(report: dict[str, Any]) -> Iterator[Text]:
    """Notes of a report, then its failures."""
    for note in report["notes"]:
        yield Text(f"note: {note}", style="dim")
    for failure in report["failures"]:
        yield Text(f"failed: {failure}", style="bold red")


def figure(value: float | None, style: str) -> str:
    """Write a figure; nothing where it is unknown."""
    return "" if value is None else format(value, style)


def pair(predicted: float, measured: float) -> str:
    """Write two figures that need not be equal."""
    return f"{predicted:.4g} / {measured:.4g}"


def equal_bytes(predicted: int, measured: int | None) -> Text:
    """Write bytes that must be equal, in red where they are not; None: they differ among themselves."""
    if predicted == measured:
        return Text(f"{predicted:,} =")
    return Text(f"{predicted:,} / {'differs' if measured is None else f'{measured:,}'}", style="bold red")
