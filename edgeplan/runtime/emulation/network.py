"""The network of a run: a namespace a node, with shaped links among them and plain ones to the supervisor."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgeplan.errors import RunError
from edgeplan.runtime.emulation.commands import run_command
from edgeplan.runtime.emulation.links import Links
from edgeplan.runtime.emulation.namespaces import namespaces
from edgeplan.runtime.emulation.orders import forget_orders
from edgeplan.runtime.emulation.ownership import name_of
from edgeplan.runtime.emulation.switch import DEVICE, READY, mac_of
from edgeplan.runtime.processes.records import write_json

CONTROL = "control0"
MOST_NODES = 250
_LARGEST_WINDOW = 1000  # segments that a connection may begin with: the links know no congestion to look for
_LATE = "10s"  # until a segment counts as lost: nothing is, but it may wait behind others in a slow link
_SETTINGS = (
    "net.ipv6.conf.all.disable_ipv6=1",
    "net.ipv4.tcp_congestion_control=reno",  # BBR rests every ten seconds, for 200 ms, to see the latency
    "net.ipv4.tcp_early_retrans=0",
    "net.ipv4.tcp_slow_start_after_idle=0",
    "net.ipv4.tcp_no_metrics_save=1",
    "net.ipv4.tcp_rmem=4096 8388608 33554432",
    "net.ipv4.tcp_wmem=4096 4194304 33554432",
)


@dataclass(frozen=True)
class EmulatedNetwork:
    """Namespaces that are joined.

    Parameters
    ----------
    hub
        Namespace of the supervisor's store, and of its ear for heartbeats.
    nodes
        Namespaces of the nodes.
    """

    hub: str
    nodes: tuple[str, ...]

    @property
    def host(self) -> str:
        """Address of the hub, to the nodes."""
        return "10.254.0.1"

    @property
    def watch(self) -> str:
        """Address of the hub on the shaped network, after all nodes."""
        return self.address(len(self.nodes))

    @property
    def joined(self) -> tuple[str, ...]:
        """Namespaces on the shaped network."""
        return (*self.nodes, self.hub)

    def address(self, node: int) -> str:
        """Address of a node on the shaped network."""
        return f"10.253.0.{node + 1}"


@contextmanager
def emulated_network(links: Links, folder: Path) -> Iterator[EmulatedNetwork]:
    """Make a network for a run; nothing of it is left afterwards.

    Parameters
    ----------
    links
        What joins the nodes.
    folder
        Takes the file that the switch reads.

    Raises
    ------
    RunError
        When the system refuses a part of it.
    """
    if links.num_nodes > MOST_NODES:
        raise RunError(f"{links.num_nodes} nodes: at most {MOST_NODES} are emulated; use --emulation process")
    network = EmulatedNetwork(name_of("hub"), tuple(name_of(str(node)) for node in range(links.num_nodes)))
    with namespaces([network.hub, *network.nodes]):
        _join_to_hub(network)
        with _switched(network, links, folder):
            _join_to_each_other(network)
            yield network


def _join_to_hub(network: EmulatedNetwork) -> None:
    """Give every node a plain link to the hub, for the store."""
    hub = ["link set lo up", "link add bridge0 type bridge", "link set bridge0 up"]
    hub.append(f"addr add {network.host}/16 dev bridge0")
    for node, name in enumerate(network.nodes):
        hub.append(f"link add node{node} type veth peer name {CONTROL} netns {name}")
        hub.append(f"link set node{node} master bridge0 up")
    _configure(network.hub, hub)
    for node, name in enumerate(network.nodes):
        own = ["link set lo up", f"addr add 10.254.1.{node + 1}/16 dev {CONTROL}", f"link set {CONTROL} up"]
        _configure(name, own)


@contextmanager
def _switched(network: EmulatedNetwork, links: Links, folder: Path) -> Iterator[None]:
    """Run the switch."""
    spec = folder / "switch.json"
    write_json(spec, {"namespaces": network.joined, "links": links.to_document()})
    switch = subprocess.Popen(
        [sys.executable, "-m", "edgeplan.runtime.emulation.switch", str(spec)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert switch.stdin is not None
    assert switch.stdout is not None
    assert switch.stderr is not None
    try:
        if switch.stdout.readline() != READY:
            said = switch.stderr.read().decode(errors="replace").strip().splitlines()
            raise RunError(f"no network for the nodes: {said[-1] if said else 'the switch ended'}")
        yield
    finally:
        switch.kill()
        switch.wait()
        for pipe in (switch.stdin, switch.stdout, switch.stderr):
            pipe.close()
        forget_orders(folder)


def _join_to_each_other(network: EmulatedNetwork) -> None:
    for node, name in enumerate(network.joined):
        address = network.address(node)
        own = [
            f"link set {DEVICE} address {mac_of(node)} txqueuelen 10000 up",
            f"addr add {address}/16 dev {DEVICE}",
            f"route change 10.253.0.0/16 dev {DEVICE} src {address} initcwnd {_LARGEST_WINDOW} "
            f"initrwnd {_LARGEST_WINDOW} rto_min {_LATE}",
        ]
        own += [
            f"neigh add {network.address(other)} lladdr {mac_of(other)} dev {DEVICE} nud permanent"
            for other in range(len(network.joined))
            if other != node
        ]
        run_command("ip", "netns", "exec", name, "sysctl", "-q", "-w", *_SETTINGS)
        _configure(name, own)


def _configure(namespace: str, lines: list[str]) -> None:
    run_command("ip", "-n", namespace, "-batch", "-", lines="\n".join(lines) + "\n")
