"""Orders to the switch of a network that is up: a pipe on which it is told, and files with what is told.

It takes other links, and says what each node has sent.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from edgeplan.errors import RunError
from edgeplan.runtime.emulation.links import Links
from edgeplan.runtime.processes.records import read_json, write_json

_POLL_S = 0.001
_RELINK, _COUNT = b"l", b"c"


def relink(links: Links, folder: Path, *, timeout_s: float) -> None:
    """Let the switch of a run use other links from now on; what is on its way keeps its time.

    Parameters
    ----------
    links
        Among the same nodes.
    folder
        Of the run.
    timeout_s
        Longest wait for the switch, in seconds.

    Raises
    ------
    RunError
        When the switch does not take them.
    """
    write_json(_links_path(folder), links.to_document())
    _tell(_RELINK, folder)
    until_s = time.monotonic() + timeout_s
    while _links_path(folder).exists():  # the switch removes what it has taken
        _wait(until_s)


def sent_bytes(folder: Path, *, timeout_s: float) -> list[int]:
    """Return the bytes of streams that each node has sent since the network is up, each of them once.

    Parameters
    ----------
    folder
        Of the run.
    timeout_s
        Longest wait for the switch, in seconds.

    Raises
    ------
    RunError
        When the switch does not answer.
    """
    _counts_path(folder).unlink(missing_ok=True)
    _tell(_COUNT, folder)
    until_s = time.monotonic() + timeout_s
    while not _counts_path(folder).exists():
        _wait(until_s)
    counts: list[int] = read_json(_counts_path(folder))
    return counts


def _tell(order: bytes, folder: Path) -> None:
    with _pipe_path(folder).open("wb", buffering=0) as pipe:
        pipe.write(order)


def _wait(until_s: float) -> None:
    if time.monotonic() > until_s:
        raise RunError("the network between the nodes takes no orders; run again")
    time.sleep(_POLL_S)


class Orders:
    """The switch's end.

    Parameters
    ----------
    folder
        Of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        forget_orders(folder)
        os.mkfifo(_pipe_path(folder))
        # for writing too: a pipe that nobody else writes to would end
        self.handle = os.open(_pipe_path(folder), os.O_RDWR | os.O_NONBLOCK)

    def take(self, sent: Sequence[int]) -> Links | None:
        """Do an order; return the links that have been told of, if it is for links.

        Parameters
        ----------
        sent
            Bytes that each node has sent.
        """
        if os.read(self.handle, 1) == _COUNT:
            write_json(_counts_path(self._folder), list(sent))
            return None
        path = _links_path(self._folder)
        links = Links.from_document(read_json(path))
        path.unlink()
        return links


def forget_orders(folder: Path) -> None:
    """Remove the pipe and what was told on it."""
    for path in (_pipe_path(folder), _links_path(folder), _counts_path(folder)):
        path.unlink(missing_ok=True)


def _pipe_path(folder: Path) -> Path:
    return folder / "switch.pipe"


def _links_path(folder: Path) -> Path:
    return folder / "switch-links.json"


def _counts_path(folder: Path) -> Path:
    return folder / "switch-counts.json"
