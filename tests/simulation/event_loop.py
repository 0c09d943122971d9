"""A clock, nodes that come and go, and processes, event by event from a heap: what judges the arrays."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeplan.simulation.presence import Presence

Name = Any


@dataclass(frozen=True)
class Sleep:
    """Go on at a time, or earlier if one of the nodes leaves; answers whether one did."""

    until: float
    watched: tuple[Name, ...] = ()


@dataclass(frozen=True)
class Until:
    """Go on as soon as something holds."""

    holds: Callable[[], bool]


Process = Generator[Sleep | Until, bool, None]


class World:
    """A clock, nodes that come and go, and processes."""

    def __init__(self, presences: dict[Name, Presence] | None = None, lane: int = 0) -> None:
        self.now = 0.0
        self._presences, self._lane = presences or {}, np.array([lane])
        self._there = {name: self._ask(name, "is_there") for name in self._presences}
        self._heap: list[tuple[float, int, str, Any]] = []
        self._ticket = itertools.count()
        self._sleeping: dict[int, tuple[Process, Sleep]] = {}
        self._waiting: list[tuple[Process, Until]] = []

    def there(self, *names: Name) -> bool:
        return all(self._there.get(name, True) for name in names)

    def run(self, *processes: Process) -> None:
        """Run until no process is left; every one has to end."""
        for name in self._presences:
            self._plan_change(name)
        for process in processes:
            self._go_on(process, None)
        self._wake_waiting()
        while self._sleeping or self._waiting:
            time, ticket, kind, name = heapq.heappop(self._heap)
            if kind == "wake" and ticket not in self._sleeping:
                continue
            self.now = time
            if kind == "wake":
                self._go_on(self._sleeping.pop(ticket)[0], False)
            else:
                self._change(name)
            self._wake_waiting()

    def _ask(self, name: Name, what: str) -> Any:
        answer = getattr(self._presences[name], what)(self._lane, np.array([self.now]))
        return answer.tolist()[0]

    def _plan_change(self, name: Name) -> None:
        at = self._ask(name, "leaves_after" if self._there[name] else "there_from")
        heapq.heappush(self._heap, (at, next(self._ticket), "change", name))

    def _change(self, name: Name) -> None:
        self._there[name] = not self._there[name]
        self._plan_change(name)
        if self._there[name]:
            return
        for ticket, (process, sleep) in list(self._sleeping.items()):
            if name in sleep.watched:
                del self._sleeping[ticket]
                self._go_on(process, True)

    def _go_on(self, process: Process, answer: bool | None) -> None:
        try:
            asked = process.send(answer) if answer is not None else next(process)  # type: ignore[arg-type]
        except StopIteration:
            return
        if isinstance(asked, Sleep):
            ticket = next(self._ticket)
            self._sleeping[ticket] = process, asked
            heapq.heappush(self._heap, (asked.until, ticket, "wake", None))
        else:
            self._waiting.append((process, asked))

    def _wake_waiting(self) -> None:
        while True:
            ready = next((entry for entry in self._waiting if entry[1].holds()), None)
            if ready is None:
                return
            self._waiting.remove(ready)
            self._go_on(ready[0], False)
