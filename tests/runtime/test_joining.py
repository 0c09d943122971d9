from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

from torch.distributed import TCPStore


def test_no_thread_of_the_group_is_left_when_a_process_that_has_trained_ends(tmp_path: Path) -> None:
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    environment = os.environ | {
        "RANK": "0",
        "WORLD_SIZE": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    told = tmp_path / "threads"
    subprocess.run([sys.executable, "-m", "ending", str(told)], env=environment, check=True)
    names = told.read_text(encoding="utf-8").split()
    assert names
    assert not [name for name in names if "gloo" in name]
