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


def imitation(emulation: dict[str, Any]) -> Text:
    """Say how devices and links were imitated, and how exactly.

    Examples
    --------
    >>> links = [{"rate_ratio": 0.99, "configured_latency_s": 0.1, "achieved_latency_s": 0.102}]
    >>> print(imitation({"mode": "kernel", "slower": 2.5, "links": links, "speeds": []}))
    emulation kernel, 2.5 times slower: rates 0.99 of the configured, latencies 2 ms more
    """
    slower = f", {emulation['slower']:.3g} times slower" if emulation["slower"] > 1 else ""
    links, speeds = emulation["links"], emulation["speeds"]
    rates = [link["rate_ratio"] for link in links if link["rate_ratio"] is not None]
    later = [1e3 * (link["achieved_latency_s"] - link["configured_latency_s"]) for link in links]
    parts = [
        f"rates {_range(rates)} of the configured" if rates else "",
        f"latencies {_range(later)} ms more" if later else "",
        f"speeds {_range([one['speed_ratio'] for one in speeds])} of the configured" if speeds else "",
    ]
    told = ", ".join(part for part in parts if part)
    return Text(f"emulation {emulation['mode']}{slower}{': ' if told else ''}{told}")


def _range(values: list[float]) -> str:
    low, high = (f"{value:.3g}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def remarks(report: dict[str, Any]) -> Iterator[Text]:
    """Notes of a report, then its failures."""
    for note in report["notes"]:
        yield Text(f"note: {note}", style="dim")
    for failure in report["failures"]:
        yield Text(f"failed: {failure}", style="bold red")


def figure(value: float | None, style: str) -> str:
    """Write a figure; nothing where it is unknown."""
    return "" if value is None else format(value, style)


def pair(predicted: float | None, measured: float | None) -> str:
    """Write two figures that need not be equal; one that is not known is a dash."""
    return " / ".join("-" if one is None else format(one, ".4g") for one in (predicted, measured))


def equal_bytes(predicted: int, measured: int | None) -> Text:
    """Write bytes that must be equal, in red where they are not; None: they differ among themselves."""
    if predicted == measured:
        return Text(f"{predicted:,} =")
    return Text(f"{predicted:,} / {'differs' if measured is None else f'{measured:,}'}", style="bold red")
