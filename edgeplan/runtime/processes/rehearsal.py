"""Failures on purpose: a run can be told that a node dies, hangs or loses its link at some moment.

A plan for failures that was never tried is a hope. A fault strikes inside the node's own process, at the
beginning of a phase of its work.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from edgeplan.errors import UsageError
from edgeplan.runtime.emulation.switch import DEVICE
from edgeplan.runtime.processes.heartbeat import START_UP

RECEIVE, COMPUTE, CHECKPOINT, SEND, AGGREGATE = "receive", "compute", "checkpoint", "send", "aggregate"
PHASES = (START_UP, RECEIVE, COMPUTE, CHECKPOINT, SEND, AGGREGATE)
KILL, HANG, UNLINK = "kill", "hang", "unlink"
KINDS = (KILL, HANG, UNLINK)


@dataclass(frozen=True)
class Fault:
    """What is to befall a node.

    Parameters
    ----------
    node
        Id of the node.
    round
        Round in which it strikes; any for ``start-up``.
    phase
        Of `PHASES`.
    kind
        ``kill`` (SIGKILL), ``hang`` (SIGSTOP), or ``unlink``: nothing that the node sends arrives any more.
    """

    node: str
    round: int
    phase: str
    kind: str

    def strikes(self, node: str, round_number: int, phase: str) -> bool:
        """Say whether this is the moment."""
        return (node, phase) == (self.node, self.phase) and (phase == START_UP or round_number == self.round)

    def strike(self) -> None:
        """Let it happen to this process."""
        if self.kind == UNLINK:
            drop = ["tc", "qdisc", "add", "dev", DEVICE, "root", "pfifo", "limit", "0"]
            subprocess.run(drop, check=True)
        else:
            os.kill(os.getpid(), signal.SIGKILL if self.kind == KILL else signal.SIGSTOP)


def faults_of(texts: Sequence[str]) -> tuple[Fault, ...]:
    """Read faults as they are given on the command line.

    Parameters
    ----------
    texts
        Node, round, phase and kind, with colons between them.

    Raises
    ------
    UsageError
        With the first that is none.

    Examples
    --------
    >>> faults_of(["pi-1:2:compute:kill"])
    (Fault(node='pi-1', round=2, phase='compute', kind='kill'),)
    """
    return tuple(_fault_of(text) for text in texts)


def _fault_of(text: str) -> Fault:
    parts = text.rsplit(":", 3)
    if len(parts) == 4 and parts[1].isdecimal() and parts[2] in PHASES and parts[3] in KINDS:
        return Fault(parts[0], int(parts[1]), parts[2], parts[3])
    raise UsageError(
        f"--fault {text}: must be NODE:ROUND:PHASE:KIND with a phase of {', '.join(PHASES)} and a kind of "
        f"{', '.join(KINDS)}, such as pi-1:2:compute:kill"
    )


def strike_if_asked(faults: Sequence[Fault], node: str, round_number: int, phase: str) -> None:
    """Let a fault that was asked for befall this process, which stands for a node.

    Parameters
    ----------
    faults
        What is to happen.
    node
        Its id.
    round_number, phase
        What it begins.
    """
    for fault in faults:
        if fault.strikes(node, round_number, phase):
            fault.strike()


def faults_left(faults: Sequence[Fault], lost: Collection[str]) -> tuple[Fault, ...]:
    """Return the faults that can still strike: what is started again is not struck a second time.

    Parameters
    ----------
    faults
        What is to happen.
    lost
        Ids of the nodes.
    """
    return tuple(fault for fault in faults if fault.node not in lost)


def check_faults(
    faults: Sequence[Fault], nodes: Collection[str], phases: Collection[str], *, have_links: bool
) -> None:
    """Refuse faults that could never strike.

    Parameters
    ----------
    faults
        What is to happen.
    nodes
        Who takes part.
    phases
        What they do.
    have_links
        Whether nodes have links that can be cut.

    Raises
    ------
    UsageError
        With the first of them.
    """
    for fault in faults:
        if fault.node not in nodes:
            raise UsageError(
                f"--fault: {fault.node!r} takes no part in the run; name one of {', '.join(nodes)}"
            )
        if fault.phase not in phases:
            raise UsageError(f"--fault: {fault.node} has no phase {fault.phase}; use {', '.join(phases)}")
        if fault.kind == UNLINK and not have_links:
            raise UsageError("--fault: unlink needs --emulation kernel, where nodes have links to lose")
