"""What left each node during the rounds of the serial schedule, counted on the wire beside its hops."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from edgeplan.runtime.emulation.wire import wire_counted
from edgeplan.runtime.report.events import Events
from edgeplan.runtime.report.wire import wire_entry
from edgeplan.runtime.snake.course import BEGINNING, Position
from edgeplan.runtime.snake.device.node import NodeProcess
from edgeplan.runtime.snake.job import Job

ROUND_BYTES = 4096
"""Largest sum of headers and barriers of a node in a round; far below any node's data."""


def rounds_counted(node: NodeProcess, position: Position) -> AbstractContextManager[None]:
    """Count what every node sends in the rounds, if they are made from first to last.

    Parameters
    ----------
    node
        This process; rank 0 keeps the count.
    position
        The next visit.
    """
    if position != BEGINNING:
        return nullcontext()

    def tell(sent: list[int]) -> None:
        node.events.append({"event": "wired", "sent_bytes": sent})

    return wire_counted(
        node.job.folder,
        emulation=node.job.settings.emulation,
        timeout_s=node.job.timeout_s,
        tell=tell if node.rank == 0 else None,
        meet=node.meet,
    )


def wire_entries(job: Job, events: Events) -> list[dict[str, Any]]:
    """Return for each node what was counted on the wire, what the hops explain, and how large its data are.

    Parameters
    ----------
    job, events
        A finished run, and what its processes saw.
    """
    wired = events.all("wired")
    if not wired or job.incidents:
        return []
    explained = [0] * job.world_size
    for event in events.all("sent"):
        explained[event["rank"]] += event["bytes"]
    return [
        wire_entry(
            job.node_of(rank),
            wire_bytes=wire,
            parameter_bytes=explained[rank],
            header_bytes=job.settings.rounds * ROUND_BYTES,
            data_bytes=_data_bytes(job, rank),
        )
        for rank, wire in enumerate(wired[0]["sent_bytes"])
    ]


def _data_bytes(job: Job, rank: int) -> int:
    if rank >= len(job.visits):
        return 0
    samples = job.read_samples(job.seat_of(job.node_of(rank)))
    return int(samples.inputs.nbytes + samples.targets.nbytes)
