"""Two processes: rank 1 leaves, and beats no more; rank 0 needs it, or leaves after it: ``LEAVING``."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from edgeplan.runtime.processes.exchange import LEFT, exchanging
from edgeplan.runtime.processes.heartbeat import Heart


def main(flag: Path) -> None:
    rank = int(os.environ["RANK"])
    heart = Heart(rank)
    if rank == 1:
        heart.does("work")
        flag.touch()
        os._exit(LEFT)
    while not flag.exists():
        time.sleep(0.01)
    heart.does("work")
    if os.environ["LEAVING"] == "both":
        os._exit(LEFT)
    with exchanging(1):
        time.sleep(1000)


if __name__ == "__main__":
    main(Path(sys.argv[1]).with_name("flag"))
