"""Ctrl-C ends a running solve, which writes the best plan so far."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import write
from small_instances import document, layer, node

from edgeplan.__main__ import main
from edgeplan.models.layer_assignment import LayerAssignment, Plan


def long_to_solve() -> dict[str, object]:
    """20 different layers on 14 different nodes with windows: minutes of work for the exact solver."""
    rng = random.Random(7)
    layers = [
        layer(f"l{k}", parameters=rng.randint(10, 99), forward_flops=rng.randint(1, 9)) for k in range(20)
    ]
    nodes = [
        node(
            f"n{k}",
            flops_per_s=rng.uniform(1, 9),
            memory_bytes=rng.randint(9_000, 12_000),
            uplink_bit_per_s=rng.uniform(100, 999),
            downlink_bit_per_s=rng.uniform(100, 999),
            available_s=[[a, a + 60] for a in range(rng.randint(0, 50), 100_000, 100)][:200],
        )
        for k in range(14)
    ]
    return document(layers, nodes, limits={"min_nodes": 8, "max_layers_per_node": 4})


def read_until(terminal: int, pattern: bytes) -> bytes:
    """Read a terminal until the pattern has appeared, or its other end has been closed."""
    seen = b""
    while not re.search(pattern, seen):
        try:
            seen += os.read(terminal, 4096)
        except OSError:
            break
    return seen


@pytest.fixture(autouse=True)
def _sigint_is_heeded() -> Iterator[None]:
    """Shells let what they run in the background ignore it, and processes hand that down."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("shows", [rb"objective [0-9]", rb"bound [0-9]"], ids=["plan", "bound"])
def test_ctrl_c_writes_the_best_plan_so_far_and_ends_with_130(tmp_path: Path, shows: bytes) -> None:
    instance, output = write(tmp_path / "instance.json", long_to_solve()), tmp_path / "result.json"
    terminal, its_end = pty.openpty()
    command = [sys.executable, "-m", "edgeplan", "solve", str(instance), "-o", str(output)]
    with subprocess.Popen([*command, "--time-limit", "600"], stderr=its_end) as solving:
        os.close(its_end)
        shown = read_until(terminal, shows)
        solving.send_signal(signal.SIGINT)
        shown += read_until(terminal, rb"cp-sat [0-9.]+, ")
        code = solving.wait(timeout=60)
    os.close(terminal)
    assert code == 130, shown.decode()
    result = json.loads(output.read_text())
    assert (result["status"], result["stop"]) == ("feasible", "interrupt")
    problem = LayerAssignment.from_document(long_to_solve())
    assert problem.check(Plan.from_document(result["plan"])).feasible
    assert sorted(path.name for path in tmp_path.iterdir()) == ["instance.json", "result.json"]


def test_ctrl_c_ends_an_explanation_without_a_traceback(tmp_path: Path) -> None:
    instance = write(tmp_path / "instance.json", long_to_solve())
    terminal, its_end = pty.openpty()
    command = [sys.executable, "-m", "edgeplan", "explain", str(instance), "--json", "--time-limit", "600"]
    with subprocess.Popen(command, stderr=its_end, stdout=subprocess.PIPE) as explaining:
        os.close(its_end)
        shown = read_until(terminal, rb"solving")
        explaining.send_signal(signal.SIGINT)
        out, _ = explaining.communicate(timeout=60)
        shown += read_until(terminal, rb"$^")
    os.close(terminal)
    assert explaining.returncode == 130, shown.decode()
    assert b"Traceback" not in shown
    if out:  # the solver was at work already
        assert json.loads(out)["interrupted"]


def test_an_interrupt_while_the_program_is_loaded_ends_it_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(begun: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgeplan.cli.main", interrupted)
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, capsys.readouterr().err) == (130, "interrupted\n")
