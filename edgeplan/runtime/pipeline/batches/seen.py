"""What the processes of a run saw."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from edgeplan.runtime.processes.records import Event


class Seen:
    """Events of all processes."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = list(events)

    def all(self, kind: str, **members: Any) -> list[Event]:
        """Return the events of this kind with these members, in order."""
        return [
            event
            for event in self._events
            if event["event"] == kind and all(event[name] == value for name, value in members.items())
        ]

    def one(self, kind: str, **members: Any) -> Event:
        """Return the only such event."""
        (event,) = self.all(kind, **members)
        return event

    def begin_s(self, number: int) -> float:
        """When a batch began: the last process that was there."""
        return float(max(event["moment_s"] for event in self.all("begun", batch=number)))

    def bytes(self, kind: str, what: str, rank: int, number: int) -> int:
        """Bytes of a batch at one end of a hop."""
        return sum(event["bytes"] for event in self.all(kind, what=what, rank=rank, batch=number))
