"""What left each device during the rounds of the plan, counted on the wire beside its updates.

What is no update is known to the byte, so that no part of the data has room in it: gloo puts 48 bytes before
a message, and sends as many to say that one is there, and that one is expected. There are no other streams
between devices in a round than the messages of its collectives and of the check of the replicas.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from edgeplan.runtime.emulation.wire import wire_counted
from edgeplan.runtime.report.wire import wire_entry
from edgeplan.runtime.sparse.execution.course import BEGINNING, Position
from edgeplan.runtime.sparse.execution.device.process import DIGEST_BYTES, DeviceProcess
from edgeplan.runtime.sparse.execution.exchange.link import GLOO_BYTES, header_bytes
from edgeplan.runtime.sparse.execution.exchange.tally import tally_of
from edgeplan.runtime.sparse.execution.exchange.ways import EMULATED
from edgeplan.runtime.sparse.execution.job import Job
from edgeplan.runtime.sparse.execution.phases import PHASES, PLAN
from edgeplan.runtime.sparse.execution.report.seen import Seen

WIRED = "wired"


def rounds_counted(device: DeviceProcess, position: Position) -> AbstractContextManager[None]:
    """Count what every device sends in the rounds of the plan, if they are made from first to last.

    Parameters
    ----------
    device
        This process; rank 0 keeps the count.
    position
        The last round that is done.
    """
    job = device.job
    if not is_counted(job, position):
        return nullcontext()

    def tell(sent: list[int]) -> None:
        device.note(WIRED, sent_bytes=sent)

    return wire_counted(
        job.folder,
        emulation=job.settings.emulation,
        timeout_s=job.timeout_s,
        tell=tell if device.rank == 0 else None,
        meet=device.meeting.wait,
    )


def is_counted(job: Job, position: Position) -> bool:
    """Say whether all rounds of the plan follow, and their updates are counted."""
    return position == BEGINNING and len(job.legs) == 1 and job.settings.collectives == EMULATED


def wire_entries(job: Job, seen: Seen) -> list[dict[str, Any]]:
    """Return for each device what was counted on the wire, its updates, and how large its data are.

    Parameters
    ----------
    job, seen
        A finished run, and what its processes saw.
    """
    wired = seen.all(WIRED)
    if not wired or len(job.legs) > 1:
        return []
    return [
        wire_entry(
            name,
            wire_bytes=wired[0]["sent_bytes"][rank],
            parameter_bytes=_update_bytes(job, seen, rank),
            header_bytes=_header_bytes(job, rank),
            data_bytes=job.workload.data_bytes(rank),
        )
        for rank, name in enumerate(job.names)
    ]


def _update_bytes(job: Job, seen: Seen, rank: int) -> int:
    rounds = range(1, job.settings.rounds + 1)
    events = (event for number in rounds for event in seen.all("aggregated", PLAN, number))
    return sum(int(event["sent_bytes"]) for event in events if event["rank"] == rank)


def _header_bytes(job: Job, rank: int) -> int:
    """Return what belongs to messages of updates and to the checks of the replicas, one a round."""
    tally = tally_of(job.phases[PHASES.index(PLAN)].cost, rank)
    updates = header_bytes(tally.sent, tally.received)
    return job.settings.rounds * (updates + check_bytes(len(job.names)))


def check_bytes(num_devices: int) -> int:
    """Return what a device sends in a check of the replicas, where halves of digests go round a ring.

    Examples
    --------
    >>> check_bytes(3), check_bytes(1)
    (640, 0)
    """
    halves = 2 * (num_devices - 1)
    return halves * (3 * GLOO_BYTES + DIGEST_BYTES // 2)
