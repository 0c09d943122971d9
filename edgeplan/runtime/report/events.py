"""What the processes saw, found by round and stage."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from edgeplan.runtime.processes.records import Event


class Events:
    """All events of a run.

    Parameters
    ----------
    events
        Of every process, in any order.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = list(events)

    def all(self, kind: str) -> list[Event]:
        """Return the events of a kind."""
        return [event for event in self._events if event["event"] == kind]

    def find(self, kind: str, **members: Any) -> Event | None:
        """Return the one event of this kind with these members; None if there is none.

        Examples
        --------
        >>> Events([{"event": "sent", "round": 1, "bytes": 8}]).find("sent", round=1)["bytes"]
        8
        """
        found = [
            event
            for event in self._events
            if event["event"] == kind and all(event[name] == value for name, value in members.items())
        ]
        assert len(found) <= 1, f"{kind} {members} was seen {len(found)} times"
        return found[0] if found else None

    def get(self, kind: str, **members: Any) -> Event:
        """Return the one event of this kind with these members."""
        event = self.find(kind, **members)
        assert event is not None, f"{kind} {members} was not seen"
        return event
