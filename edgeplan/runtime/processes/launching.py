"""The commands by which torchrun starts the processes of a prepared run on machines of their own."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from edgeplan.runtime.processes.supervision import Crew

PORT = 29500


def torchrun_commands(crew: Crew, host: str) -> Iterator[tuple[str, str]]:
    """Yield whom each process stands for, and the command that starts it on its machine.

    Parameters
    ----------
    crew
        The processes.
    host
        Address of the first one's machine, to the others.

    Examples
    --------
    >>> from pathlib import Path
    >>> crew = Crew("edgeplan.runtime.snake.worker", Path("run/job.json"), ("node a", "node b"), threads=1)
    >>> for name, command in torchrun_commands(crew, "edge-0"):
    ...     print(name, "|", command.partition(" --nproc")[0])
    node a | OMP_NUM_THREADS=1 torchrun --nnodes 2 --node-rank 0
    node b | OMP_NUM_THREADS=1 torchrun --nnodes 2 --node-rank 1
    """
    for rank, name in enumerate(crew.names):
        words = ["torchrun", "--nnodes", str(len(crew.names)), "--node-rank", str(rank)]
        words += ["--nproc-per-node", "1", "--master-addr", host, "--master-port", str(PORT)]
        words += ["-m", crew.program, str(crew.job)]
        yield name, f"OMP_NUM_THREADS={crew.threads} {shlex.join(words)}"
