"""What a process saw, written down as it happens: what is known of a node when it is gone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from edgeplan.runtime.processes.records import Event, journal_path


class Journal:
    """Events of a node, in memory and in a file, a line each.

    Parameters
    ----------
    path
        The file; what stands in it already comes first.
    holds
        Which of the events in the file still hold; all by default.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "events-0.jsonl"
    >>> journal = Journal(path)
    >>> journal.append({"event": "trained", "round": 1})
    >>> [event["round"] for event in Journal(path)]
    [1]
    """

    def __init__(self, path: Path, holds: Callable[[Event], bool] = lambda _: True) -> None:
        self._path = path
        self._events = [event for event in _read(path) if holds(event)]
        aside = path.with_name(f".{path.name}")
        aside.write_text("".join(map(_line, self._events)), encoding="utf-8")
        aside.replace(path)

    def append(self, event: Event) -> None:
        """Keep an event."""
        self._events.append(event)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line(event))

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)


def written_by(folder: Path, seats: Iterable[int]) -> Iterator[Event]:
    """Yield what the nodes of some seats have written down, where their files are here."""
    for seat in seats:
        yield from Journal(journal_path(folder, seat))


def _line(event: Event) -> str:
    return json.dumps(event, allow_nan=False) + "\n"


def _read(path: Path) -> Iterator[Event]:
    """Read what was written; a line that was begun when its writer was killed is none."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)
