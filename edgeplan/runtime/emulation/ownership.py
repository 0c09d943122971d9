"""Names that tell which process made a thing: by its number and by when it started.

A process that was killed takes nothing down. Whoever comes next can, since the names say whose it was: a
number is given to another process some day, but never with the same start.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

_PATTERN = re.compile(r"edgeplan-(\d+)-(\d+)-")
_PROC = Path("/proc")
_STARTED = 19  # place of the start among the fields behind the name of a process


def name_of(what: str) -> str:
    """Return a name for a thing of this process.

    Examples
    --------
    >>> is_orphan(name_of("hub"))
    False
    """
    return f"edgeplan-{os.getpid()}-{_start_of(os.getpid())}-{what}"


def is_orphan(name: str) -> bool:
    """Whether a name is that of a thing whose process is gone.

    Examples
    --------
    >>> is_orphan("edgeplan-4194305-7-hub"), is_orphan("somebody's")
    (True, False)
    """
    found = _PATTERN.match(name)
    return found is not None and _start_of(int(found[1])) != int(found[2])


def orphans(names: Iterable[str]) -> list[str]:
    """Return the names of things whose process is gone."""
    return [name for name in names if is_orphan(name)]


def _start_of(process: int) -> int | None:
    """When a process started, in ticks since the system did; None where there is none, or a dead one."""
    try:
        stat = (_PROC / str(process) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[_STARTED - 1])
