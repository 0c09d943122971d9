"""Processes on emulated nodes: each in its namespace and its control group."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from edgeplan.runtime.emulation.links import Links
from edgeplan.runtime.emulation.namespaces import FOLDER, inside
from edgeplan.runtime.emulation.network import EmulatedNetwork, emulated_network
from edgeplan.runtime.emulation.ownership import name_of
from edgeplan.runtime.emulation.quotas import GROUP, ControlGroup, control_groups
from edgeplan.runtime.emulation.switch import DEVICE
from edgeplan.runtime.processes.places import Place

_JOIN = 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"'


class EmulatedPlace(Place):
    """Nodes that are made for a run, one a rank.

    Parameters
    ----------
    network
        Their namespaces.
    groups
        Their control groups.
    """

    def __init__(self, network: EmulatedNetwork, groups: list[ControlGroup]) -> None:
        self.host = network.host
        self._network, self._groups = network, groups

    def make_store(self) -> TCPStore:
        """Open the rendezvous store in this process, but on the nodes' network."""
        return inside(self._network.hub, super().make_store)

    def make_ear(self) -> socket.socket:
        """Open the socket of the heartbeats on the shaped network, where a lost link is heard."""

        def make() -> socket.socket:
            ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            ear.bind((self._network.watch, 0))
            return ear

        return inside(self._network.hub, make)

    def command(self, rank: int, module: str, *arguments: str) -> list[str]:
        """Return the command by which a rank's process runs a module on its node."""
        join = ["sh", "-c", _JOIN, "sh", str(self._groups[rank].folder)]
        enter = ["nsenter", f"--net={FOLDER / self._network.nodes[rank]}"]  # ip would hide the control groups
        return [*join, *enter, *super().command(rank, module, *arguments)]

    def environment(self, rank: int) -> dict[str, str]:
        """Let gloo use the shaped link, and the process find its control group."""
        return {"GLOO_SOCKET_IFNAME": DEVICE, GROUP: str(self._groups[rank].folder)}


@contextmanager
def emulated_place(links: Links, folder: Path) -> Iterator[EmulatedPlace]:
    """Make nodes for a run; nothing of them is left afterwards.

    Parameters
    ----------
    links
        What joins them.
    folder
        Of the run.

    Raises
    ------
    RunError
        When the system refuses a part of it.
    """
    names = [name_of(str(node)) for node in range(links.num_nodes)]
    with control_groups(names) as groups, emulated_network(links, folder) as network:
        yield EmulatedPlace(network, groups)
