"""Memory that a node has: a plan that does not fit ends with a message, not by the kernel's hand.

What a step takes is told to the byte by its live tensors, before the first round, and compared with the
budget. Budgets are net of the interpreter, so a process as a whole cannot be held to one. But while it trains
it may allocate the budget and an allowance beyond what it has (RLIMIT_DATA, on Linux); the allowance is for
what live tensors leave out: workspaces inside operators, stacks of threads, and what the allocator has
returned and keeps, which was up to half of the peak in trials.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edgeplan.errors import RunError
from edgeplan.runtime.processes.status import data_bytes

ALLOWANCE_BYTES = 64 * 2**20
ALLOWANCE_SHARE = 0.5
REFUSED = "can't allocate memory"
"""How PyTorch's allocator says it; the error is a plain RuntimeError."""
REMEDY = "plan with less for it (reserve_bytes, memory_bytes), or run with --no-memory-limit"


@dataclass(frozen=True)
class MemoryBudget:
    """What the training of a node may take.

    Parameters
    ----------
    memory_bytes
        Its memory; None is unlimited.
    reserve_bytes
        What of it is not for training.

    Examples
    --------
    >>> MemoryBudget(1000, reserve_bytes=100).check(900)
    >>> MemoryBudget(1000, reserve_bytes=100).check(901)
    Traceback (most recent call last):
    edgeplan.errors.RunError: a step takes 901 bytes, memory_bytes 1000 leaves 900 for it; ...
    """

    memory_bytes: int | None
    reserve_bytes: int = 0

    def check(self, taken_bytes: int) -> None:
        """Refuse a step that takes more.

        Raises
        ------
        RunError
            When it does.
        """
        if self.memory_bytes is None:
            return
        left_bytes = self.memory_bytes - self.reserve_bytes
        if taken_bytes > left_bytes:
            raise RunError(
                f"a step takes {taken_bytes} bytes, memory_bytes {self.memory_bytes} leaves {left_bytes} for "
                f"it; {REMEDY}"
            )

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Let what happens inside allocate no more than the budget and its allowance.

        Raises
        ------
        RunError
            When it tries to.
        """
        if self.memory_bytes is None:
            yield
            return
        allowance_bytes = int(ALLOWANCE_BYTES + ALLOWANCE_SHARE * self.memory_bytes)
        with _data_limited(self.memory_bytes + allowance_bytes):
            try:
                yield
            except (RuntimeError, MemoryError) as error:
                if not isinstance(error, MemoryError) and REFUSED not in str(error):
                    raise
                tried = re.search(r"allocate (\d+) bytes", str(error))
                raise RunError(
                    f"training tried to allocate {f'{tried[1]} bytes' if tried else 'memory'} beyond "
                    f"memory_bytes {self.memory_bytes} and an allowance of {allowance_bytes}; {REMEDY}"
                ) from error


@contextmanager
def _data_limited(more_bytes: int) -> Iterator[None]:
    """Limit this process to the memory that it has and some more, where the system tells what it has."""
    has_bytes = data_bytes()
    if has_bytes is None:
        yield
        return
    import resource  # not on every system

    before = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [limit for limit in (has_bytes + more_bytes, *before) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
