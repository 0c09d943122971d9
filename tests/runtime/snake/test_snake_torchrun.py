"""The printed torchrun commands, on machines of their own: each in its network, with a clock of its own."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

import numpy as np
from kernel_emulation import require_kernel
from snake_instances import OWN, SHARED, plan, problem

from edgeplan.runtime.emulation.links import Links
from edgeplan.runtime.emulation.network import emulated_network
from edgeplan.runtime.emulation.switch import DEVICE
from edgeplan.runtime.processes.launching import torchrun_commands
from edgeplan.runtime.processes.records import read_json
from edgeplan.runtime.snake import RunSettings, prepare, run

AHEAD_S = 1000
OWN_CLOCK = ["unshare", "--time", "--monotonic", str(AHEAD_S), "--fork"]


def _require_clocks() -> None:
    try:
        refused = subprocess.run([*OWN_CLOCK, "true"], capture_output=True, check=False).returncode
    except OSError:
        refused = 1
    if refused:
        pytest.skip("the system makes no time namespaces")


def _on_its_machine(namespace: str, command: str, rank: int) -> list[str]:
    setting, words = command.split(" ", 1)
    torchrun = [sys.executable, "-m", "torch.distributed.run", *shlex.split(words)[1:]]
    clock = OWN_CLOCK if rank else []
    return ["ip", "netns", "exec", namespace, "env", setting, *clock, *torchrun]


def test_the_printed_commands_train_the_same_parameters_on_machines_with_clocks_apart(tmp_path: Path) -> None:
    require_kernel()
    _require_clocks()
    given, stages = problem(num_nodes=2, shared_layers=list(SHARED)), plan(OWN[:1], OWN[1:])
    settings = RunSettings(rounds=2, emulation="none")
    run(given, stages, settings, out=tmp_path / "here")
    job = prepare(given, stages, settings, out=tmp_path / "apart")
    with emulated_network(Links.shared(0.002, 5e7, 2), tmp_path) as network:
        commands = [command for _, command in torchrun_commands(job.crew, network.address(0))]
        environment = os.environ | {"GLOO_SOCKET_IFNAME": DEVICE, "PYTHONPATH": os.pathsep.join(sys.path)}
        started = [
            subprocess.Popen(_on_its_machine(namespace, command, rank), env=environment)
            for rank, (namespace, command) in enumerate(zip(network.nodes, commands, strict=True))
        ]
        assert [process.wait(timeout=300) for process in started] == [0, 0]
    report = read_json(tmp_path / "apart" / "run.json")
    assert report["passed"]
    assert all(0.0 < entry["time_s"] < AHEAD_S / 10 for entry in report["rounds"])
    here, apart = (np.load(tmp_path / name / "parameters.npy") for name in ("here", "apart"))
    assert here.tolist() == apart.tolist()
