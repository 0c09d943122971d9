"""A process that runs one of PuLP's engines, and which engines there are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from tempfile import TemporaryDirectory

from edgeplan.errors import UsageError
from edgeplan.extras import check_installed
from edgeplan.solvers.backend_process import BackendProcess, Job, Message

AUTO = "auto"
_START_S = 30.0  # to import PuLP and look for engines


class EngineProcess(BackendProcess):
    """A warm child with one engine.

    Parameters
    ----------
    module
        The back-end, which answers ``{"list": True}`` too.
    engine
        PuLP's name of the engine, or ``auto``.

    Raises
    ------
    MissingExtraError
        When PuLP is not installed.
    UsageError
        When PuLP cannot reach the engine.
    """

    def __init__(self, module: str, engine: str) -> None:
        check_installed("pulp", purpose="solver milp")
        super().__init__(module)
        self._engine = engine
        self._folder = TemporaryDirectory(prefix="edgeplan-")  # engines that write files write them here
        self.used = None if engine == AUTO else engine
        if engine != AUTO:
            self._check_available()

    def _check_available(self) -> None:
        available = self.engines()
        if self._engine not in available:
            self.close()
            raise _unavailable(self._engine, available)

    def engines(self) -> list[str]:
        """PuLP's names of the engines that are here."""
        job = {"list": True}
        return list([*super().messages(job, until=time.monotonic() + _START_S)][-1]["available"])

    def messages(self, job: Job, *, until: float) -> Iterator[Message]:
        """Send a job for the engine and yield its messages."""
        asked = job | {"engine": self._engine, "folder": self._folder.name}
        for message in super().messages(asked, until=until):
            if message.get("status") == "missing":
                raise _unavailable(self._engine, message["available"])
            self.used = message.get("engine", self.used)
            yield message

    def close(self) -> None:
        """Kill the child and remove what engines wrote."""
        super().close()
        self._folder.cleanup()


def _unavailable(engine: str, available: list[str]) -> UsageError:
    known = ", ".join(f"milp:{name}" for name in available)
    return UsageError(f"--solver: 'milp:{engine}': PuLP finds no such engine here; available: {known}")
