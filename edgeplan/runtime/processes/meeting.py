"""Where processes wait for each other between measurements, without the network that is measured."""

from __future__ import annotations

import os
from datetime import timedelta

from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

from edgeplan.runtime.processes.exchange import ALL, exchanging


class Meeting:
    """All processes of a run, by the store at which they have met.

    Parameters
    ----------
    timeout_s
        Longest wait for another process, in seconds.
    """

    def __init__(self, timeout_s: float) -> None:
        self._world_size = int(os.environ["WORLD_SIZE"])
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = TCPStore(host, port, is_master=False, timeout=timedelta(seconds=timeout_s))
        self._store = PrefixStore("edgeplan/meeting", store)
        self._number = 0

    def wait(self) -> None:
        """Wait until all processes are here; all go on within a part of a millisecond.

        Raises
        ------
        PeerLostError
            When one of them does not come.
        """
        self._number += 1
        go = f"{self._number}/go"
        with exchanging(ALL):
            if self._store.add(f"{self._number}/here", 1) == self._world_size:
                self._store.set(go, "")
            self._store.wait([go])
