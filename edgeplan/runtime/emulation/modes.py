"""How a run imitates devices and links: by the kernel, by waiting inside its processes, or not at all."""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeplan.errors import RunError, UsageError
from edgeplan.runtime.emulation.links import Links
from edgeplan.runtime.emulation.place import emulated_place
from edgeplan.runtime.processes.places import Place

AUTO, KERNEL, PROCESS, NONE = "auto", "kernel", "process", "none"
MODES = (AUTO, KERNEL, PROCESS, NONE)


def chosen_mode(mode: str) -> str:
    """Return the mode that a run uses; ``auto`` is the kernel's where it can be had.

    Raises
    ------
    UsageError
        When there is no such mode.
    RunError
        When the kernel's is asked for and cannot be had.

    Examples
    --------
    >>> chosen_mode("process")
    'process'
    """
    if mode not in MODES:
        raise UsageError(f"--emulation {mode}: must be one of {', '.join(MODES)}")
    if mode not in (AUTO, KERNEL):
        return mode
    refused = _refused()
    if refused is None:
        return KERNEL
    if mode == KERNEL:
        raise RunError(f"--emulation kernel: {refused}")
    return PROCESS


def _refused() -> str | None:
    """Say why no node can be made here, as the making of one shows; None where it can."""
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            emulated_place(Links.shared(0.0, None, 1), Path(folder)),
        ):
            return None
    except (RunError, OSError) as error:
        return str(error)


@contextmanager
def placed(mode: str, links: Links, folder: Path) -> Iterator[Place]:
    """Make what a mode that was chosen needs, and take it down again."""
    if mode == KERNEL:
        with _terminating_in_order(), emulated_place(links, folder) as place:
            yield place
    else:
        yield Place()


@contextmanager
def _terminating_in_order() -> Iterator[None]:
    """Let a request to terminate leave by the way of an exception, on which all is taken down."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
