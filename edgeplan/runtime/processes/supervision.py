"""The supervisor: starts a process a rank, watches all of them, and ends all of them.

The rendezvous store lives here, so that it survives any of the processes. Each process watches its standard
input, which closes with the supervisor: even a killed supervisor leaves no process behind.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeplan.errors import RunError
from edgeplan.runtime.processes.joining import SUPERVISED
from edgeplan.runtime.processes.places import Place
from edgeplan.runtime.processes.records import failure_path, log_path, progress_path, read_json, report_path

Progress = Callable[[dict[str, Any]], None]
Process = subprocess.Popen[bytes]

POLL_S = 0.02
GRACE_S = 2.0
LAST_LINES = 12


@dataclass(frozen=True)
class Crew:
    """The processes of a run: one program, a rank each.

    Parameters
    ----------
    program
        Module that each of them runs, with the job file as its argument.
    job
        The job file; logs and report are in its folder.
    names
        Whom each rank stands for, as told where it fails.
    threads
        Threads of one process.
    """

    program: str
    job: Path
    names: tuple[str, ...]
    threads: int

    @property
    def folder(self) -> Path:
        """Where the files of the run are."""
        return self.job.parent


def supervise(crew: Crew, on_progress: Progress | None = None, place: Place | None = None) -> dict[str, Any]:
    """Run a prepared job to its report.

    Parameters
    ----------
    crew
        The processes.
    on_progress
        Called with ``phase``, ``round``, ``rounds``, ``loss`` and ``accuracy`` when a round was scored.
    place
        Where the processes are; None is this machine as it is.

    Raises
    ------
    RunError
        When a process failed; the others are ended first.
    """
    place = place or Place()
    store = place.make_store()
    with _started(crew, place, store.port) as processes:
        _watch(crew, processes, on_progress)
    report: dict[str, Any] = read_json(report_path(crew.folder))
    return report


@contextmanager
def _started(crew: Crew, place: Place, port: int) -> Iterator[list[Process]]:
    processes: list[Process] = []
    try:
        for rank in range(len(crew.names)):
            processes.append(_start(crew, place, rank, port))  # noqa: PERF401 - those started so far must be known
        yield processes
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
            assert process.stdin is not None
            process.stdin.close()


def _start(crew: Crew, place: Place, rank: int, port: int) -> Process:
    with log_path(crew.folder, rank).open("wb") as log:
        return subprocess.Popen(
            place.command(rank, crew.program, str(crew.job)),
            env=_environment(crew, rank, port) | {"MASTER_ADDR": place.host} | place.environment(rank),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a terminal's Ctrl-C is for the supervisor, which ends the others
        )


def _environment(crew: Crew, rank: int, port: int) -> dict[str, str]:
    return os.environ | {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(len(crew.names)),
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # join the supervisor's store, as under torchrun
        "OMP_NUM_THREADS": str(crew.threads),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        SUPERVISED: "1",
    }


def _watch(crew: Crew, processes: list[Process], on_progress: Progress | None) -> None:
    told: dict[str, Any] | None = None
    while True:
        running = [process for process in processes if process.poll() is None]
        told = _tell(crew, told, on_progress)
        if any(process.returncode for process in processes):
            raise _failure(crew, processes)
        if not running:
            return
        time.sleep(POLL_S)


def _tell(crew: Crew, told: dict[str, Any] | None, on_progress: Progress | None) -> dict[str, Any] | None:
    path = progress_path(crew.folder)
    if on_progress is None or not path.is_file():
        return told
    progress: dict[str, Any] = {key: value for key, value in read_json(path).items() if key != "event"}
    if progress != told:
        on_progress(progress)
    return progress


def _failure(crew: Crew, processes: list[Process]) -> RunError:
    """Name the process that failed first; the others only lost it."""
    deadline_s = time.monotonic() + GRACE_S
    while time.monotonic() < deadline_s and any(process.poll() is None for process in processes):
        time.sleep(POLL_S)
    failed = [rank for rank, process in enumerate(processes) if process.returncode]
    first = min(failed, key=lambda rank: _moment_s(crew, rank))
    told = _noted(crew, first).get("told")
    if told is not None:
        return RunError(f"{crew.names[first]} (rank {first}): {told}")
    code = processes[first].returncode
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    log = log_path(crew.folder, first).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    last_words = "\n".join(log[-LAST_LINES:])
    return RunError(f"{crew.names[first]} (rank {first}) {how}:\n{last_words}".rstrip(":\n"))


def _moment_s(crew: Crew, rank: int) -> float:
    """When a process noted its failure; one that could not was killed, and comes first."""
    return float(_noted(crew, rank).get("moment_s", 0.0))


def _noted(crew: Crew, rank: int) -> dict[str, Any]:
    path = failure_path(crew.folder, rank)
    noted: dict[str, Any] = read_json(path) if path.is_file() else {}
    return noted
