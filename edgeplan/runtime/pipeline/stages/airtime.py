"""The band of a hop, which both its ends use in turn: a message waits for those before it, either way.

Equation (2) lets the gradient take the activation's band after it, so the two never overlap. Where processes
imitate links by waiting, the moment from which the band is free stands in a file that both ends open. With
the kernel's emulation the switch does the same.
"""

from __future__ import annotations

import fcntl
import math
import struct
from pathlib import Path

from edgeplan.runtime.emulation.links import Shape
from edgeplan.runtime.sparse.execution.exchange.link import Uplink

_MOMENT = struct.Struct("d")


class Airtime(Uplink):
    """One end of a hop.

    Parameters
    ----------
    path
        The file of the hop, which `free` has written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Airtime.free(path := Path(folder, "hop"))
    ...     ends = Airtime(path), Airtime(path)
    ...     [end.arrival_s(0.0, num_bytes=2, shape=Shape(0.5, 8.0)) for end in ends]
    [2.5, 4.5]
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    @staticmethod
    def free(path: Path) -> None:
        """Let a band be free from the beginning of time."""
        path.write_bytes(_MOMENT.pack(-math.inf))

    def arrival_s(self, now_s: float, num_bytes: int, shape: Shape) -> float:
        """Take a message on its way when the band is free, and say when it arrives."""
        self.sent_bytes += num_bytes
        with self._path.open("r+b", buffering=0) as file:
            fcntl.lockf(file, fcntl.LOCK_EX)  # until the file is closed
            (free_s,) = _MOMENT.unpack(file.read(_MOMENT.size))
            begin_s = max(now_s, free_s)
            end_s = begin_s + shape.transfer_s(num_bytes) - shape.latency_s
            file.seek(0)
            file.write(_MOMENT.pack(end_s))
        return float(end_s + shape.latency_s)
