"""Steps of a node on its own samples, written down before they are taken and never taken back.

A visit that was lost with its node, or is made again, has perhaps been seen by others: it counts.
"""

from __future__ import annotations

import os
from pathlib import Path

from edgeplan.runtime.learning.privacy.accounting import Taken
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.records import Event

TAKEN = "taken"


class Ledger:
    """A file with what a node has spent.

    Parameters
    ----------
    path
        The file; what stands in it already counts.
    seat
        The node's.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "privacy-0.jsonl"
    >>> Ledger(path, seat=0).write(Taken(steps=3, sample_rate=0.1))
    >>> Ledger(path, seat=0).events
    [{'event': 'taken', 'seat': 0, 'steps': 3, 'sample_rate': 0.1}]
    """

    def __init__(self, path: Path, seat: int) -> None:
        self._path, self._seat, self._journal = path, seat, Journal(path)

    def write(self, taken: Taken) -> None:
        """Write down what is about to be taken; it stands on the disk when this returns."""
        self._journal.append({"event": TAKEN, "seat": self._seat, **taken._asdict()})
        with self._path.open("rb") as file:
            os.fsync(file.fileno())

    @property
    def events(self) -> list[Event]:
        """All that was written."""
        return list(self._journal)
