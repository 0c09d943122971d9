"""The supervisor: starts a process a rank, watches all of them, and ends all of them.

The rendezvous store lives here, so that it survives any of the processes. Each process watches its standard
input, which closes with the supervisor: even a killed supervisor leaves no process behind.

A process is lost when a signal has killed it, or when its heart is silent; a silent one is killed. Where the
run can go on without it, the others work until they need it and leave; it goes on from what they have kept.
Who leaves while nobody is lost has lost its own link: of those that left, the first to fall silent.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from edgeplan.errors import RunError
from edgeplan.runtime.processes.exchange import LEFT
from edgeplan.runtime.processes.heartbeat import HEARTBEAT, Listener
from edgeplan.runtime.processes.joining import SUPERVISED
from edgeplan.runtime.processes.places import Place
from edgeplan.runtime.processes.records import (
    failure_path,
    log_path,
    lost_key,
    progress_path,
    read_json,
    report_path,
)

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
    goes_on
        Whether the run can go on without some of them.
    patience_s
        Longest silence of a process that is there, in seconds.
    may_be_lost
        Ranks without which the run goes on: that one of them has failed is told in the rendezvous store
        (`lost_key`), and the run is over when the others have ended.
    """

    program: str
    job: Path
    names: tuple[str, ...]
    threads: int
    goes_on: bool = False
    patience_s: float = 10.0
    may_be_lost: frozenset[int] = frozenset()

    @property
    def folder(self) -> Path:
        """Where the files of the run are."""
        return self.job.parent


@dataclass(frozen=True)
class Lost:
    """How a process was lost, and what it did when it was last heard."""

    how: str
    doing: str


@dataclass(frozen=True)
class LostNode:
    """Who is gone: how, and what it did when it was last heard."""

    node: str
    how: str
    doing: str


class NodesLostError(RunError):
    """Processes were lost; the run may go on without them.

    Parameters
    ----------
    message
        Whom, and their last words.
    lost
        How each of the lost ranks was.
    """

    def __init__(self, message: str, lost: dict[int, Lost]) -> None:
        self.lost = lost
        super().__init__(message)

    def named(self, names: Sequence[str]) -> tuple[LostNode, ...]:
        """Return who was lost, in order of rank, by the names of all ranks."""
        return tuple(LostNode(names[rank], one.how, one.doing) for rank, one in sorted(self.lost.items()))


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
    NodesLostError
        When a process was killed or fell silent; the others are ended first.
    RunError
        When a process failed; the others are ended first.
    """
    place = place or Place()
    store = place.make_store()
    with (
        closing(Listener(place.make_ear(), len(crew.names), crew.patience_s)) as listener,
        _started(crew, place, store.port, listener) as processes,
    ):
        _Watch(crew, processes, listener, store).to_the_end(on_progress)
    report: dict[str, Any] = read_json(report_path(crew.folder))
    return report


@contextmanager
def _started(crew: Crew, place: Place, port: int, listener: Listener) -> Iterator[list[Process]]:
    processes: list[Process] = []
    try:
        for rank in range(len(crew.names)):
            processes.append(_start(crew, place, rank, port, listener))  # noqa: PERF401 - those started must be known
        yield processes
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
            assert process.stdin is not None
            process.stdin.close()


def _start(crew: Crew, place: Place, rank: int, port: int, listener: Listener) -> Process:
    with log_path(crew.folder, rank).open("wb") as log:
        return subprocess.Popen(
            place.command(rank, crew.program, str(crew.job)),
            env=_environment(crew, rank, port)
            | {"MASTER_ADDR": place.host, HEARTBEAT: listener.address}
            | place.environment(rank),
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


@dataclass
class _Watch:
    """Watches processes until all have ended."""

    crew: Crew
    processes: list[Process]
    listener: Listener
    store: TCPStore
    lost: dict[int, Lost] = field(default_factory=dict)
    stuck: set[int] = field(default_factory=set)
    """Ranks that failed by themselves, and then did not come to their end."""

    def to_the_end(self, on_progress: Progress | None) -> None:
        told: dict[str, Any] | None = None
        while True:
            self._look()
            told = _tell(self.crew, told, on_progress)
            if self._must_end():
                self._settle()
                raise self._failure()
            if not self._runs() and not self._left:
                return
            time.sleep(POLL_S)

    @property
    def _needed(self) -> dict[int, Process]:
        return {
            rank: process for rank, process in enumerate(self.processes) if rank not in self.crew.may_be_lost
        }

    @property
    def _left(self) -> list[int]:
        """Ranks that could not go on since they had lost another one, or so they think."""
        return [rank for rank, process in self._needed.items() if process.returncode == LEFT]

    def _runs(self) -> bool:
        return any(process.returncode is None for process in self._needed.values())

    def _look(self) -> None:
        """Find out who is gone."""
        self.listener.listen()
        for rank, process in enumerate(self.processes):
            if process.poll() is None and self.listener.is_silent(rank):
                process.kill()
                process.wait()
                if rank in self._needed and failure_path(self.crew.folder, rank).is_file():
                    self.stuck.add(rank)
                else:
                    self._lose(rank, f"was silent for {self.crew.patience_s:g} s")
            elif rank in self.stuck:
                continue
            elif process.returncode and (process.returncode < 0 or rank in self.crew.may_be_lost):
                self._lose(rank, _how(process.returncode))
        first = self.listener.longest_silent(self._left)
        if first is not None and not self.lost and self.listener.is_silent(first):
            self._lose(first, "left, and nobody else is missing")

    def _lose(self, rank: int, how: str) -> None:
        if rank in self.lost:
            return
        self.lost[rank] = Lost(how, self.listener.doing[rank])
        self.listener.lost.add(rank)
        if rank in self.crew.may_be_lost:
            self.store.set(lost_key(rank), f"{how}{self._last_words(rank)}")

    def _must_end(self) -> bool:
        """Say whether something failed that the processes cannot settle among themselves."""
        codes = {process.returncode for process in self._needed.values()}
        if self.stuck or any(
            code and code > 0 and not (self.crew.goes_on and code == LEFT) for code in codes
        ):
            return True
        if self.lost.keys() - self.crew.may_be_lost:
            return not (self.crew.goes_on and self.listener.all_begun and None in codes)
        return not all(self.listener.has_heard(rank) for rank in self._left)

    def _settle(self) -> None:
        """Let those who follow from the cause show themselves."""
        deadline_s = time.monotonic() + GRACE_S
        while self._runs() and time.monotonic() < deadline_s:
            time.sleep(POLL_S)
            self._look()

    def _failure(self) -> RunError:
        """Name the process that failed first; the others only lost it."""
        if not self.stuck and (lost := sorted(self.lost.keys() - self.crew.may_be_lost)):
            return NodesLostError(self._told(lost[0], self.lost[lost[0]].how), self.lost)
        failed = [rank for rank, process in enumerate(self.processes) if process.returncode]
        causes = [rank for rank in failed if self.processes[rank].returncode != LEFT]
        first = min(self.stuck or causes or failed, key=lambda rank: _moment_s(self.crew, rank))
        told = _noted(self.crew, first).get("told")
        if told is not None:
            return RunError(f"{self.crew.names[first]} (rank {first}): {told}")
        how = "failed" if first in self.stuck else _how(self.processes[first].returncode)
        return RunError(self._told(first, how))

    def _told(self, rank: int, how: str) -> str:
        return f"{self.crew.names[rank]} (rank {rank}) {how}{self._last_words(rank)}"

    def _last_words(self, rank: int) -> str:
        log = log_path(self.crew.folder, rank).read_text(encoding="utf-8", errors="replace").strip()
        last_words = "\n".join(log.splitlines()[-LAST_LINES:])
        return f":\n{last_words}" if last_words else ""


def _how(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _tell(crew: Crew, told: dict[str, Any] | None, on_progress: Progress | None) -> dict[str, Any] | None:
    path = progress_path(crew.folder)
    if on_progress is None or not path.is_file():
        return told
    progress: dict[str, Any] = {key: value for key, value in read_json(path).items() if key != "event"}
    if progress != told:
        on_progress(progress)
    return progress


def _moment_s(crew: Crew, rank: int) -> float:
    """When a process noted its failure; one that could not comes first."""
    return float(_noted(crew, rank).get("moment_s", 0.0))


def _noted(crew: Crew, rank: int) -> dict[str, Any]:
    path = failure_path(crew.folder, rank)
    noted: dict[str, Any] = read_json(path) if path.is_file() else {}
    return noted
