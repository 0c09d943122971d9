"""Where the server and its clients wait for each other without the network that is measured, and who is gone.

The server leads: it waits for every client that is left, and goes on without those whose process has ended.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]

from edgeplan.runtime.processes.records import lost_key

POLL_S = 0.005
ON_ITS_WAY_S = 2.0
"""How long what a client has sent may still arrive when its process has ended."""
ENDED = "its process ended"
_OVER = "over"

Result = TypeVar("Result")


def open_store(timeout_s: float) -> TCPStore:
    """Join the supervisor's store."""
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    return TCPStore(host, port, is_master=False, timeout=timedelta(seconds=timeout_s))


class Attendance:
    """A client's part.

    Parameters
    ----------
    store
        At which all meet.
    rank
        Of the client.
    """

    def __init__(self, store: Store, rank: int) -> None:
        self._store = PrefixStore("edgeplan/roll", store)
        self._rank = rank

    def meet(self, occasion: str) -> None:
        """Say that this client is here, and wait for the server to go on."""
        self._store.set(f"{occasion}/{self._rank}", "")
        self._store.wait([f"{occasion}/go"])

    def tell(self, what: str, figures: dict[str, Any]) -> None:
        """Leave figures for the server."""
        self._store.set(_told(what, self._rank), json.dumps(figures))

    def wait_for_end(self) -> None:
        """Wait until the server needs nobody any more."""
        self._store.wait([_OVER])


class RollCall:
    """The server's part.

    Parameters
    ----------
    store
        At which all meet.
    ranks
        Of the clients.
    timeout_s
        Longest wait for one of them.
    """

    def __init__(self, store: Store, ranks: range, timeout_s: float) -> None:
        self._all = store
        self._store = PrefixStore("edgeplan/roll", store)
        self._timeout_s = timeout_s
        self.here = list(ranks)
        self.lost: dict[int, str] = {}
        """Why clients are gone, as far as is known."""

    def meet(self, occasion: str) -> None:
        """Wait for all clients that are left, and let them go on."""
        for rank in list(self.here):
            self.wait_for(partial(self._store.check, [f"{occasion}/{rank}"]), rank)
        self._store.set(f"{occasion}/go", "")

    def hear(self, what: str, rank: int) -> dict[str, Any] | None:
        """Return what a client has told; None where it is gone and has not."""
        key = _told(what, rank)
        if rank in self.here:
            self.wait_for(partial(self._store.check, [key]), rank)
        if not self._store.check([key]):
            return None
        told: dict[str, Any] = json.loads(self._store.get(key))
        return told

    def lose(self, rank: int, reason: str) -> None:
        """Go on without a client."""
        if rank in self.here:
            self.here.remove(rank)
            self.lost[rank] = reason

    def has_ended(self, rank: int) -> bool:
        """Whether a client's process has come to its end."""
        return bool(self._all.check([lost_key(rank)]))

    def settle(self, rank: int, patience_s: float) -> None:
        """Wait until a client has ended with which no exchange is possible, or this process is ended.

        Either has lost its link, and the supervisor ends the one that is silent.

        Parameters
        ----------
        rank
            Of the client.
        patience_s
            Longest silence of a process that is there.
        """
        until_s = time.monotonic() + patience_s + ON_ITS_WAY_S
        while not self.has_ended(rank) and time.monotonic() < until_s:
            time.sleep(POLL_S)

    def with_client(self, rank: int, work: Callable[[], Result]) -> Result:
        """Return what some work with a client comes to.

        Raises
        ------
        RuntimeError
            When the client's process ends meanwhile: behind a cut link nothing else says so. And all that the
            work raises.
        """
        found: Future[Result] = Future()

        def try_it() -> None:
            try:
                found.set_result(work())
            except BaseException as error:  # noqa: BLE001 - it is raised where the work is waited for
                found.set_exception(error)

        threading.Thread(target=try_it, daemon=True).start()
        until_s = math.inf
        while not found.done() and time.monotonic() < until_s:
            time.sleep(POLL_S)
            if self.has_ended(rank):
                until_s = min(until_s, time.monotonic() + ON_ITS_WAY_S)
        if not found.done():
            raise RuntimeError(ENDED)
        return found.result()

    def awaiting(self, rank: int) -> Store:
        """Return the store at which to wait for a client no longer than it is there."""
        return _Awaiting(self._all, self, rank)

    def end(self) -> None:
        """Let the clients end, and learn what became of the others."""
        self._store.set(_OVER, "")
        for rank in self.lost:
            if self.has_ended(rank):
                self.lost[rank] = self._all.get(lost_key(rank)).decode()

    def wait_for(self, is_so: Callable[[], bool], rank: int) -> None:
        """Wait for something that a client brings about; go on without it when it is gone."""
        until_s = time.monotonic() + self._timeout_s
        while not is_so():
            if self.has_ended(rank):
                self.lose(rank, ENDED)
                return
            if time.monotonic() > until_s:
                self.lose(rank, f"said nothing for {self._timeout_s:g} s")
                return
            time.sleep(POLL_S)


class _Awaiting(Store):
    """A store for gloo, which would wait for its timeout where a client has ended before it connects."""

    def __init__(self, store: Store, roll_call: RollCall, rank: int) -> None:
        super().__init__()
        self._store, self._roll_call, self._rank = store, roll_call, rank

    def set(self, key: str, value: str) -> None:
        self._store.set(key, value)

    def get(self, key: str) -> bytes:
        return self._store.get(key)

    def wait(self, keys: list[str], timeout: timedelta | None = None) -> None:
        del timeout
        self._roll_call.wait_for(partial(self._store.check, keys), self._rank)
        if self._rank not in self._roll_call.here:
            raise RuntimeError(self._roll_call.lost[self._rank])


def _told(what: str, rank: int) -> str:
    return f"told/{what}/{rank}"
