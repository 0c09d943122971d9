"""What left each node in the meantime, as the switch of the kernel's emulation counts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeplan.runtime.emulation.modes import KERNEL
from edgeplan.runtime.emulation.orders import sent_bytes


@contextmanager
def wire_counted(
    folder: Path,
    *,
    emulation: str,
    timeout_s: float,
    tell: Callable[[list[int]], None] | None,
    meet: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Count what every node sends in the meantime; nothing where no kernel makes the nodes.

    Parameters
    ----------
    folder
        Of the run.
    emulation
        How nodes are imitated.
    timeout_s
        Longest wait for the switch, in seconds.
    tell
        Called with the bytes of each node, by the one process that asks the switch; None in the others.
    meet
        Waits for all processes, so that nobody sends anything while the switch is asked.

    Raises
    ------
    RunError
        When the switch does not answer.

    Examples
    --------
    >>> with wire_counted(Path("run"), emulation="process", timeout_s=1.0, tell=print):
    ...     pass  # nobody counts: nothing is told
    """
    if emulation != KERNEL:
        yield
        return

    def counts() -> list[int]:
        meet()
        told = sent_bytes(folder, timeout_s=timeout_s) if tell is not None else []
        meet()
        return told

    before = counts()
    yield
    after = counts()
    if tell is not None:
        tell([late - early for early, late in zip(before, after, strict=True)])
