from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")

from kernel_emulation import require_kernel

from edgeplan.errors import RunError, UsageError
from edgeplan.runtime.emulation import modes
from edgeplan.runtime.emulation.links import Links
from edgeplan.runtime.emulation.modes import AUTO, KERNEL, PROCESS, chosen_mode, placed
from edgeplan.runtime.emulation.namespaces import FOLDER, take_down_orphans
from edgeplan.runtime.emulation.network import emulated_network
from edgeplan.runtime.emulation.ownership import orphans
from edgeplan.runtime.emulation.quotas import controller

SERVER = """
import socket
listening = socket.create_server(("0.0.0.0", 5000))
print("up", flush=True)
connection, _ = listening.accept()
received = 0
while part := connection.recv(1 << 16):
    received += len(part)
print(received, flush=True)
"""
CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], 5000)) as connection:
    connection.sendall(bytes(300_000))
"""
HOLDER = """
import signal, sys, time
from pathlib import Path
from edgeplan.runtime.emulation.links import Links
from edgeplan.runtime.emulation.modes import placed
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell may have had ignored
with placed("kernel", Links.shared(0.0, 1e7, 2), Path(sys.argv[1])):
    print("up", flush=True)
    time.sleep(1000)
"""


def inside(namespace: str, *words: str) -> list[str]:
    return ["nsenter", f"--net={FOLDER / namespace}", sys.executable, "-c", *words]


def left_over() -> list[str]:
    folder = controller()
    assert folder is not None
    return [path.name for root in (FOLDER, folder) for path in root.glob("edgeplan-*")]


def test_connections_of_nodes_neither_look_for_congestion_nor_send_again_what_waits(tmp_path: Path) -> None:
    require_kernel()
    with emulated_network(Links.shared(0.0, 1e7, 2), tmp_path) as network:
        within = ["ip", "netns", "exec", network.nodes[0]]
        names = ["net.ipv4.tcp_congestion_control", "net.ipv4.tcp_early_retrans"]
        values = subprocess.check_output([*within, "sysctl", "-n", *names], text=True).split()
        route = subprocess.check_output([*within, "ip", "route", "get", network.address(1)], text=True)

    assert values == ["reno", "0"]
    assert "rto_min lock 10s" in route


def test_nodes_reach_each_other_and_nothing_else(tmp_path: Path) -> None:
    require_kernel()
    with emulated_network(Links.shared(0.001, 1e8, 2), tmp_path) as network:
        with subprocess.Popen(inside(network.nodes[1], SERVER), stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == "up\n"
            subprocess.run(inside(network.nodes[0], CLIENT, network.address(1)), check=True)
            assert server.stdout.readline() == "300000\n"
        routes = subprocess.run(
            ["ip", "-n", network.nodes[0], "route"], capture_output=True, text=True, check=True
        )
        assert "default" not in routes.stdout
    assert not any((FOLDER / name).exists() for name in (network.hub, *network.nodes))


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_of_a_run_that_was_ended(tmp_path: Path, signal_number: int) -> None:
    require_kernel()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        stderr=subprocess.DEVNULL,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "up\n"
    own = [name for name in left_over() if f"-{holder.pid}-" in name]
    assert len(own) == 3 + 2  # namespaces of hub and nodes, control groups of nodes
    holder.send_signal(signal_number)
    holder.wait()
    holder.stdout.close()
    if signal_number == signal.SIGKILL:
        assert set(orphans(left_over())) >= set(own)
        with placed(KERNEL, Links.shared(0.0, None, 1), tmp_path):  # the next run takes it down
            pass
    assert not [name for name in left_over() if name in own]


def test_the_switch_ends_with_its_run(tmp_path: Path) -> None:
    require_kernel()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "up\n"
    switches = subprocess.run(
        ["pgrep", "-P", str(holder.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    holder.kill()
    holder.wait()
    holder.stdout.close()
    until_s = time.monotonic() + 30
    while any(Path("/proc", switch).exists() for switch in switches) and time.monotonic() < until_s:
        time.sleep(0.05)
    assert switches
    assert not any(Path("/proc", switch).exists() for switch in switches)
    take_down_orphans()


def test_too_many_nodes_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(RunError, match="300 nodes: at most 250"),
        emulated_network(Links.shared(0.0, None, 300), tmp_path),
    ):
        pass


def test_unknown_modes_are_refused_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match="--emulation qemu: must be one of auto, kernel, process, none"):
        chosen_mode("qemu")


def test_where_the_kernel_refuses_auto_waits_in_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modes, "_refused", lambda: "ip: not found")
    assert chosen_mode(AUTO) == PROCESS
    with pytest.raises(RunError, match="--emulation kernel: ip: not found"):
        chosen_mode(KERNEL)


def test_the_environment_of_a_node_names_its_device_and_group(tmp_path: Path) -> None:
    require_kernel()
    with placed(KERNEL, Links.shared(0.0, None, 2), tmp_path) as place:
        environment = place.environment(1)
        assert environment["GLOO_SOCKET_IFNAME"] == "data0"
        program = "import os; print(open('/proc/net/dev').read(), open('/proc/self/cgroup').read())"
        command = place.command(1, "timeit", "-n", "1", "-r", "1", program)
        said = subprocess.run(
            command, capture_output=True, text=True, check=True, env=os.environ | environment
        )
    assert "data0" in said.stdout
    assert f"edgeplan-{os.getpid()}-" in said.stdout
