"""Where the processes of a run are: on this machine as it is, or on nodes that are made for them."""

from __future__ import annotations

import socket
import sys

from torch.distributed import TCPStore  # type: ignore[attr-defined]


class Place:
    """This machine as it is: processes meet on its loopback."""

    host = "127.0.0.1"
    """Address of the rendezvous store, to the processes."""

    def make_store(self) -> TCPStore:
        """Open the rendezvous store in this process, which outlives any of the others."""
        return TCPStore(self.host, 0, is_master=True, wait_for_workers=False)

    def make_ear(self) -> socket.socket:
        """Open the socket on which the processes' heartbeats arrive."""
        ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ear.bind((self.host, 0))
        return ear

    def command(self, rank: int, module: str, *arguments: str) -> list[str]:
        """Return the command by which a rank's process runs a module."""
        del rank
        return [sys.executable, "-m", module, *arguments]

    def environment(self, rank: int) -> dict[str, str]:
        """Return what a rank's process finds in its environment besides."""
        del rank
        return {}
