from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from snake_instances import OWN, Finished, plan, problem
from torch.distributed import TCPStore

from edgeplan.errors import RunError
from edgeplan.runtime.processes.joining import SUPERVISED
from edgeplan.runtime.snake import RunSettings, prepare, run

UNSHAPED = RunSettings(rounds=1, emulation="none")


def _processes_of(folder: Path) -> list[str]:
    job = str(folder / "job.json").encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes()
        except OSError:
            continue
        if job in command:
            found.append(command.decode())
    return found


def test_a_planted_change_of_a_frozen_parameter_fails_the_run(tmp_path: Path) -> None:
    given = problem("snake_networks:leaky", num_nodes=2)
    report = run(given, plan(("1",), ("3", "5")), UNSHAPED, out=tmp_path)
    assert not report["passed"]
    assert report["failures"] == ["round 1, node-1: parameters that it may not train changed"]
    assert [stage["frozen_unchanged"] for stage in report["stages"]] == [True, False]
    assert report["totals"]["bytes_equal"]


def test_a_killed_process_is_named_and_no_process_stays(tmp_path: Path) -> None:
    given = problem("snake_networks:dying", num_nodes=2)
    with pytest.raises(RunError, match=r"node node-1 \(rank 1\) was killed by signal 9"):
        run(given, plan(("1",), ("3", "5")), UNSHAPED, out=tmp_path)
    assert _processes_of(tmp_path) == []
    assert not (tmp_path / "run.json").exists()


def test_an_error_is_told_in_the_words_of_the_process_that_failed_first(tmp_path: Path) -> None:
    given = problem("snake_networks:raising", num_nodes=2)
    with pytest.raises(RunError, match=r"(?s)node node-1 \(rank 1\) ended with exit code 1.*planted$"):
        run(given, plan(("1",), ("3", "5")), UNSHAPED, out=tmp_path)
    assert _processes_of(tmp_path) == []


def test_an_interrupt_ends_all_processes(tmp_path: Path) -> None:
    def interrupt(progress: dict[str, Any]) -> None:
        assert progress["phase"] == "snake"
        raise KeyboardInterrupt

    settings = RunSettings(rounds=1000, emulation="none")
    with pytest.raises(KeyboardInterrupt):
        run(problem(num_nodes=1), plan(_every_layer()), settings, out=tmp_path, on_progress=interrupt)
    assert _processes_of(tmp_path) == []


def _every_layer() -> tuple[str, ...]:
    return ("features.0", *OWN, "classifier")


def test_a_process_ends_when_its_supervisor_is_gone(tmp_path: Path) -> None:
    job = prepare(problem(num_nodes=1), plan(_every_layer()), UNSHAPED, out=tmp_path)
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    environment = os.environ | {
        "RANK": "0",
        "WORLD_SIZE": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        SUPERVISED: "1",
    }
    command = [sys.executable, "-m", "edgeplan.runtime.snake.worker", str(job.path)]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=60) == 1
    assert not (tmp_path / "run.json").exists()


def test_torchrun_starts_the_same_processes(by_server: Finished, tmp_path: Path) -> None:
    job = by_server.job
    again = prepare(job.problem, job.plan, job.settings, out=tmp_path)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "3"]
    command += ["-m", "edgeplan.runtime.snake.worker", str(again.path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run.json").is_file()
    trained = [(folder / "parameters.npy").read_bytes() for folder in (tmp_path, job.folder)]
    assert trained[0] == trained[1]
