"""What left each participant in the slots, counted on the wire beside the messages of its parts.

Every stream between participants is one of messages that are noted. What gloo adds to a message is known to
the byte, so that no part of a cluster's text has room in it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from edgeplan.runtime.networks import CHARACTERS
from edgeplan.runtime.pipeline.job import Job
from edgeplan.runtime.pipeline.participants import CONTROL
from edgeplan.runtime.pipeline.process import ParticipantProcess
from edgeplan.runtime.pipeline.report.slot_figures import SlotFigures
from edgeplan.runtime.pipeline.slots import PlannedSlot
from edgeplan.runtime.pipeline.stages.events import RECEIVED, SENT, UNCOUNTED
from edgeplan.runtime.pipeline.stages.wire import WIRED, counted
from edgeplan.runtime.processes.records import Event
from edgeplan.runtime.report.wire import wire_entry
from edgeplan.runtime.sparse.execution.exchange.link import header_bytes

CODE_BYTES = 8  # of a character, as it is in a batch


def slot_counted(process: ParticipantProcess, slot: PlannedSlot) -> AbstractContextManager[None]:
    """Count what every participant sends in a slot."""
    job = process.job
    return counted(process, job.folder, job.settings.emulation, job.timeout_s, slot=slot.number)


def wire_entries(job: Job, slots: list[SlotFigures]) -> list[dict[str, Any]]:
    """Return for each participant and slot what was counted, its messages, and how large its data are.

    Parameters
    ----------
    job, slots
        A finished run.
    """
    return [
        {"round": figures.slot.number}
        | wire_entry(
            figures.job.cast[rank].name,
            wire_bytes=wire,
            parameter_bytes=sum(event["bytes"] for event in _sent(figures, rank)),
            header_bytes=_header_bytes(figures, rank),
            data_bytes=_data_bytes(figures, rank),
        )
        for figures in slots
        for event in figures.seen(WIRED)
        for rank, wire in enumerate(event["sent_bytes"])
    ]


def _sent(figures: SlotFigures, rank: int) -> list[Event]:
    return [*figures.seen(SENT, rank=rank), *figures.seen(UNCOUNTED, rank=rank)]


def _header_bytes(figures: SlotFigures, rank: int) -> int:
    """Return what gloo adds to the messages that a participant sends and expects."""
    expected = len(figures.seen(RECEIVED, rank=rank)) + len(figures.seen(UNCOUNTED, target=rank))
    return header_bytes(len(_sent(figures, rank)), expected)


def _data_bytes(figures: SlotFigures, rank: int) -> int:
    """Bytes of the characters that a cluster trains on in the slot; its control unit has them."""
    if figures.job.cast[rank].role != CONTROL:
        return 0
    (samples,) = (cluster.samples for cluster in figures.slot.clusters if cluster.control == rank)
    return samples * CHARACTERS * CODE_BYTES
