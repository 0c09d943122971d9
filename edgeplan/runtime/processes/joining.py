"""What every process of a run does: join the group, note its failure, end with its supervisor.

`torch.distributed.nn.functional` is imported before there is a group. Its functions take the group of that
moment for a default, and the first optimizer would import it: the group and its threads would outlive
`destroy_process_group`, and one that still has a tensor when the interpreter ends aborts the process.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.nn.functional

from edgeplan.errors import RunError, UsageError
from edgeplan.runtime.processes.clock import align_clocks
from edgeplan.runtime.processes.exchange import LEFT, PeerLostError
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
    with started(folder, threads=threads) as rank, _process_group(world_size, timeout_s), _leaving():
        align_clocks(rank)
        yield rank


@contextmanager
def started(folder: Path, *, threads: int) -> Iterator[int]:
    """Be the process that the environment's ``RANK`` names, in no group yet; gives the rank.

    Parameters
    ----------
    folder
        Takes the moment of a failure.
    threads
        Threads of this process.
    """
    rank = int(os.environ["RANK"])
    if os.environ.get(SUPERVISED):
        _end_with_supervisor()
    torch.set_num_threads(threads)
    if os.environ["MASTER_ADDR"] in ("127.0.0.1", "localhost") and LOOPBACK in _interfaces():
        os.environ.setdefault("GLOO_SOCKET_IFNAME", LOOPBACK)
    with _failure_noted(folder, rank):
        yield rank


@contextmanager
def _leaving() -> Iterator[None]:
    """End at once where another process is gone: what it left half done is not taken down in order."""
    try:
        yield
    except PeerLostError as error:
        sys.stderr.write(f"{error}\n")
        sys.stderr.flush()
        os._exit(LEFT)


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
def _process_group(world_size: int, timeout_s: float) -> Iterator[None]:
    check_world_size(world_size)
    dist.init_process_group("gloo", timeout=timedelta(seconds=timeout_s))
    try:
        yield
    finally:
        dist.destroy_process_group()


def check_world_size(world_size: int) -> None:
    """Refuse another number of processes than the job needs.

    Raises
    ------
    UsageError
        When another number was started.
    """
    if int(os.environ["WORLD_SIZE"]) != world_size:
        raise UsageError(
            f"WORLD_SIZE {os.environ['WORLD_SIZE']}: the job needs {world_size} processes; start as many"
        )


def _interfaces() -> list[str]:
    return [name for _, name in socket.if_nameindex()]
