"""Network namespaces: made, entered, and taken down."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from edgeplan.runtime.emulation.commands import run_command
from edgeplan.runtime.emulation.ownership import orphans

FOLDER = Path("/run/netns")
_NETWORK = 0x40000000  # CLONE_NEWNET

Found = TypeVar("Found")


@contextmanager
def namespaces(names: list[str]) -> Iterator[None]:
    """Make namespaces, and delete them at the end with all devices in them."""
    take_down_orphans()
    made: list[str] = []
    try:
        for name in names:
            run_command("ip", "netns", "add", name)
            made.append(name)
        yield
    finally:
        for name in made:
            run_command("ip", "netns", "delete", name)


def take_down_orphans() -> list[str]:
    """Delete the namespaces of runs that are gone; return their names."""
    left = orphans(path.name for path in FOLDER.iterdir()) if FOLDER.is_dir() else []
    for name in left:
        run_command("ip", "netns", "delete", name)
    return left


def enter(name: str) -> None:
    """Move this thread into a namespace, for good.

    Raises
    ------
    OSError
        When it may not, or there is none of that name.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open(FOLDER / name, os.O_RDONLY)
    try:
        if libc.setns(handle, _NETWORK):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(FOLDER / name))
    finally:
        os.close(handle)


def inside(name: str, make: Callable[[], Found]) -> Found:
    """Call something in a namespace, on a thread of its own: sockets stay where they were made."""

    def call() -> Found:
        enter(name)
        return make()

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(call).result()
