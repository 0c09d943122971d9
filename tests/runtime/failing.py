"""Two processes: rank 1 notes a failure of its own, and then hangs on its way out; rank 0 needs it, or ends.

``FAILING`` is set where it ends.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from edgeplan.runtime.processes.exchange import exchanging
from edgeplan.runtime.processes.heartbeat import Heart
from edgeplan.runtime.processes.records import failure_path, write_json


def main(folder: Path) -> None:
    rank = int(os.environ["RANK"])
    heart = Heart(rank)
    heart.does("work")
    if rank == 1:
        sys.stderr.write("KeyError: 'head'\n")
        sys.stderr.flush()
        write_json(failure_path(folder, rank), {"moment_s": time.monotonic(), "told": None})
        os.kill(os.getpid(), signal.SIGSTOP)
    if "FAILING" in os.environ:
        time.sleep(5)  # longer than a silence may be
        return
    with exchanging(1):
        time.sleep(1000)


if __name__ == "__main__":
    main(Path(sys.argv[1]).parent)
