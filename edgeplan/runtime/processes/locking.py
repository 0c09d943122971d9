"""A folder belongs to one run at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from edgeplan.errors import UsageError


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """See that no other run works in a folder, which is made if it is missing.

    Raises
    ------
    UsageError
        When one does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w", encoding="utf-8") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"{folder}: another run works in it; wait for its end or use another --out"
            ) from None
        yield
