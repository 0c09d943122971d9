"""What a page is made of: tiles, facts, tables, pictures and notices, gathered in sections."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Tone = Literal["", "good", "bad", "warn", "info", "quiet"]


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure that a reader looks for first."""

    label: str
    value: str
    hint: str = ""
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table with a tone, and its exact value as a hint."""

    text: str
    tone: Tone = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a heading; a column whose name ends in ``>`` holds figures and is set to the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    folded: bool = False
    kind: str = "table"

    @classmethod
    def of(
        cls,
        title: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[str | Cell]],
        *,
        note: str = "",
        folded: bool = False,
    ) -> Table:
        """Build from plain texts and cells."""
        cells = (tuple(c if isinstance(c, Cell) else Cell(c) for c in row) for row in rows)
        return cls(title, tuple(columns), tuple(cells), note, folded)


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values."""

    title: str
    pairs: tuple[tuple[str, str], ...]
    kind: str = "facts"


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure: inline SVG that carries its own text for readers who cannot see it."""

    title: str
    svg: str
    caption: str = ""
    wide: bool = True
    kind: str = "picture"


@dataclass(frozen=True, slots=True)
class Notice:
    """Sentences that stand out."""

    lines: tuple[str, ...]
    tone: Tone = "info"
    kind: str = "notice"


@dataclass(frozen=True, slots=True)
class Tiles:
    """A row of tiles."""

    tiles: tuple[Tile, ...]
    kind: str = "tiles"


@dataclass(frozen=True, slots=True)
class Source:
    """Text as it is, folded away."""

    title: str
    text: str
    kind: str = "source"


Block = Table | Facts | Picture | Notice | Tiles | Source


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page with its heading."""

    anchor: str
    title: str
    lead: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """The whole page."""

    title: str
    subtitle: str
    badges: tuple[Cell, ...]
    tiles: tuple[Tile, ...]
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


def cut_note(shown: int, total: int, what: str) -> str:
    """Say that a table or figure was cut; empty where it was not.

    Examples
    --------
    >>> cut_note(200, 1000, "nodes")
    'Shows the first 200 of 1,000 nodes.'
    """
    return "" if shown >= total else f"Shows the first {shown:,} of {total:,} {what}."
