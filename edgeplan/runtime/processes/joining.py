"""What every process of a run does: join the group, note its failure, end with its supervisor."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from edgeplan.errors import RunError, UsageError
from edgeplan.runtime.processes.records import failure_path, write_json

SUPERVISED = "EDGEPLAN_SUPERVISED"
"""Environment variable of processes whose standard input closes with their supervisor."""
LOOPBACK = "lo"


@contextmanager
def taking_part(folder: Path, *, world_size: int, threads: int, timeout_s: float) -> Iterator[int]:
    """Be the process that the environment's ``RANK`` names; gives the rank.

    Parameters
    ----------
    folder
        Takes the moment of a failure.
    world_size
        Processes that the job needs.
    threads
        Threads of this process.
    timeout_s
        Longest wait for another process, in seconds.

    Raises
    ------
    UsageError
        When another number of processes was started.
    """
    rank = int(os.environ["RANK"])
    if os.environ.get(SUPERVISED):
        _end_with_supervisor()
    with _failure_noted(folder, rank), _process_group(world_size, threads, timeout_s):
        yield rank


def _end_with_supervisor() -> None:
    """Exit when the supervisor's end of standard input closes, however it ended."""

    def watch() -> None:
        os.read(0, 1)  # not sys.stdin, whose lock the interpreter wants at its own end
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _failure_noted(folder: Path, rank: int) -> Iterator[None]:
    """Leave the moment of a failure, which tells the cause from its consequences, and a cause's own words."""
    done, told = False, None
    try:
        yield
        done = True
    except RunError as error:
        told = str(error)
        raise
    finally:
        if not done:
            write_json(failure_path(folder, rank), {"moment_s": time.monotonic(), "told": told})


@contextmanager
def _process_group(world_size: int, threads: int, timeout_s: float) -> Iterator[None]:
    torch.set_num_threads(threads)
    if int(os.environ["WORLD_SIZE"]) != world_size:
        raise UsageError(
            f"WORLD_SIZE {os.environ['WORLD_SIZE']}: the job needs {world_size} processes; start as many"
        )
    if os.environ["MASTER_ADDR"] in ("127.0.0.1", "localhost") and LOOPBACK in _interfaces():
        os.environ.setdefault("GLOO_SOCKET_IFNAME", LOOPBACK)
    dist.init_process_group("gloo", timeout=timedelta(seconds=timeout_s))
    try:
        yield
    finally:
        dist.destroy_process_group()


def _interfaces() -> list[str]:
    return [name for _, name in socket.if_nameindex()]
