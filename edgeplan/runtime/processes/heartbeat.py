"""Heartbeats: every process says that it is there, and what it does, over the network that carries its work.

So a process that was killed, one that hangs, and one whose link is lost fall silent alike. A beat is a
datagram of some ten bytes to the supervisor, five times a second, and is answered where others were lost.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from edgeplan.runtime.processes.exchange import leave_if_waiting_for

HEARTBEAT = "EDGEPLAN_HEARTBEAT"
"""Environment variable of processes that are listened to: host, port and token."""
BEAT_S = 0.2
START_UP = "start-up"
"""What a process does before it takes part in any work."""
LONGEST_START_S = 300.0
_LARGEST = 512


class Heart:
    """Tells the supervisor of this process, from its construction on; nobody where none listens.

    Parameters
    ----------
    rank
        Of this process.
    """

    def __init__(self, rank: int) -> None:
        self._rank = rank
        self._doing = START_UP
        address = os.environ.get(HEARTBEAT)
        self._token: str | None = None
        if address is not None:
            host, port, self._token = address.split(" ")
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self._address = (host, int(port))
            self._beat()  # who hangs from now on was heard
            threading.Thread(target=self._beat_on, daemon=True).start()

    def does(self, doing: str) -> None:
        """Say what the process does from now on."""
        self._doing = doing
        self._beat()

    def _beat_on(self) -> None:
        while True:
            self._beat()
            time.sleep(BEAT_S)

    def _beat(self) -> None:
        if self._token is None:
            return
        beat = {"token": self._token, "rank": self._rank, "doing": self._doing}
        with suppress(OSError):  # a link that is lost: silence says so
            self._socket.sendto(json.dumps(beat).encode(), self._address)
        with suppress(BlockingIOError, ConnectionError):
            leave_if_waiting_for(json.loads(self._socket.recv(_LARGEST)))


class Listener:
    """The supervisor's ear.

    Parameters
    ----------
    ear
        A bound datagram socket; it is closed with the listener.
    num_ranks
        Processes that are listened to.
    patience_s
        Longest silence of a process that is there, in seconds.
    """

    def __init__(self, ear: socket.socket, num_ranks: int, patience_s: float) -> None:
        self._ear = ear
        self._ear.setblocking(False)
        self._token = secrets.token_hex(8)
        self._patience_s = patience_s
        self._began_s = time.monotonic()
        self._heard_s: list[float | None] = [None] * num_ranks
        self.doing = [START_UP] * num_ranks
        """What each process was doing when it was last heard."""
        self.lost: set[int] = set()
        """Ranks that are gone; the others are told in answer to their beats."""

    @property
    def address(self) -> str:
        """What the processes find in their environment."""
        host, port = self._ear.getsockname()
        return f"{host} {port} {self._token}"

    def listen(self) -> None:
        """Take all beats that have come."""
        with suppress(BlockingIOError):
            while True:
                self._take(*self._ear.recvfrom(_LARGEST))

    def _take(self, datagram: bytes, sender: tuple[str, int]) -> None:
        try:
            beat = json.loads(datagram)
            rank, doing, token = beat["rank"], beat["doing"], beat["token"]
        except (ValueError, TypeError, KeyError):
            return  # from somebody else
        if token == self._token:
            self._heard_s[rank], self.doing[rank] = time.monotonic(), str(doing)
            if self.lost:
                with suppress(OSError):
                    self._ear.sendto(json.dumps(sorted(self.lost)).encode(), sender)

    def has_heard(self, rank: int) -> bool:
        """Say whether a process was ever heard."""
        return self._heard_s[rank] is not None

    def longest_silent(self, ranks: Iterable[int]) -> int | None:
        """Return which of some ranks was heard the longest time ago, if at all; None where there are none."""
        return min(ranks, key=lambda rank: self._heard_s[rank] or -math.inf, default=None)

    def is_silent(self, rank: int) -> bool:
        """Say whether a process has not been heard for longer than it should."""
        heard_s = self._heard_s[rank]
        if heard_s is None:  # not yet; or none of them has a heart
            has_hearts = any(one is not None for one in self._heard_s)
            return has_hearts and time.monotonic() - self._began_s > LONGEST_START_S
        return time.monotonic() - heard_s > self._patience_s

    @property
    def all_begun(self) -> bool:
        """Whether every process has come beyond its start."""
        return START_UP not in self.doing

    def close(self) -> None:
        """Hear no more."""
        self._ear.close()
