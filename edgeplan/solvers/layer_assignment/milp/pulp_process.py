"""The process that runs PuLP's engines on circulations: answers are whole walks or none."""

from __future__ import annotations

from collections.abc import Iterator

from edgeplan.solvers.backend_process import Job, Message
from edgeplan.solvers.pulp_process import AUTO, EngineProcess

BACKEND = "edgeplan.solvers.layer_assignment.milp.pulp_backend"


class PulpProcess(EngineProcess):
    """A warm child with one engine.

    Parameters
    ----------
    engine
        PuLP's name of it, or ``auto``.

    Raises
    ------
    MissingExtraError
        When PuLP is not installed.
    UsageError
        When PuLP cannot reach the engine.
    """

    def __init__(self, engine: str) -> None:
        super().__init__(BACKEND, engine)

    def messages(self, job: Job, *, until: float) -> Iterator[Message]:
        """Send a job for the engine and yield its messages; chosen steps are a whole walk."""
        for message in super().messages(job, until=until):
            if "chosen" in message and not _is_walk(job, message["chosen"]):
                yield {"status": "unknown"}  # CBC calls no solution at all a feasible one
                return
            yield message


def _is_walk(job: Job, chosen: list[int]) -> bool:
    """Whether the steps cover every position once."""
    position = 0
    for k in sorted(chosen, key=lambda k: job["start"][k]):
        if job["start"][k] != position:
            return False
        position = job["end"][k]
    return bool(position == job["positions"])


def engines() -> list[str]:
    """PuLP's names of the engines that are here.

    Raises
    ------
    MissingExtraError
        When PuLP is not installed.
    """
    with PulpProcess(AUTO) as process:
        return process.engines()
