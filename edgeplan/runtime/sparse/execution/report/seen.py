"""What the processes saw, found by kind, phase and round."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from edgeplan.runtime.processes.records import Event


class Seen:
    """All events of a run.

    Parameters
    ----------
    events
        Of every process, in any order.

    Examples
    --------
    >>> seen = Seen([{"event": "trained", "phase": "plan", "round": 1, "rank": 0, "loss": 2.0}])
    >>> [event["loss"] for event in seen.all("trained", "plan", 1)]
    [2.0]
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self._events: defaultdict[tuple[Any, ...], list[Event]] = defaultdict(list)
        for event in events:
            self._events[event["event"], event.get("phase"), event.get("round")].append(event)

    def all(self, kind: str, phase: str | None = None, number: int | None = None) -> list[Event]:
        """Return the events of a kind, of a phase and round where it has them, by rank."""
        found = self._events.get((kind, phase, number), [])
        return sorted(found, key=lambda event: int(event["rank"]))

    def latest(self, kind: str, phase: str | None = None) -> dict[int, Event]:
        """Return the last event of a kind of every device that had one, by rank.

        Examples
        --------
        >>> seen = Seen({"event": "calibrated", "rank": 0, "leg": leg} for leg in (1, 0))
        >>> seen.latest("calibrated")
        {0: {'event': 'calibrated', 'rank': 0, 'leg': 1}}
        """
        in_order = sorted(self.all(kind, phase), key=lambda event: int(event["leg"]))
        return {event["rank"]: event for event in in_order}
