"""New links for a network that is up: a file with them, and a pipe on which the switch is told of it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from edgeplan.errors import RunError
from edgeplan.runtime.emulation.links import Links
from edgeplan.runtime.processes.records import read_json, write_json

_POLL_S = 0.001


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
    with _pipe_path(folder).open("wb", buffering=0) as pipe:
        pipe.write(b"\n")
    until_s = time.monotonic() + timeout_s
    while _links_path(folder).exists():  # the switch removes what it has taken
        if time.monotonic() > until_s:
            raise RunError("the network between the nodes takes no other links; run again")
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
        self.handle = os.open(
            _pipe_path(folder), os.O_RDWR | os.O_NONBLOCK
        )  # written by nobody else, it would end

    def take(self) -> Links:
        """Return the links that have been told of."""
        os.read(self.handle, 1)
        path = _links_path(self._folder)
        links = Links.from_document(read_json(path))
        path.unlink()
        return links


def forget_orders(folder: Path) -> None:
    """Remove the pipe and what was told on it."""
    _pipe_path(folder).unlink(missing_ok=True)
    _links_path(folder).unlink(missing_ok=True)


def _pipe_path(folder: Path) -> Path:
    return folder / "switch.pipe"


def _links_path(folder: Path) -> Path:
    return folder / "switch-links.json"
