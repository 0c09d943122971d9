"""A run with a fault, and how it is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeplan.runtime.processes.rehearsal import Fault


@dataclass(frozen=True)
class Outcome:
    """Whether the run finished, kept what was done before the fault, and came to the right parameters."""

    finished: bool
    kept: bool
    equal: bool


@dataclass(frozen=True)
class Trial:
    """A run that is to be struck.

    Parameters
    ----------
    what
        What is run.
    fault
        What befalls it.
    strike
        Runs it with a fault, in a folder, with the seconds after which silence is a loss.
    """

    what: str
    fault: Fault
    strike: Callable[[Fault, Path, float], Outcome]

    @property
    def name(self) -> str:
        """The trial in a word."""
        return f"{self.what}-{self.fault.kind}-{self.fault.phase}-{self.fault.node}"
