"""What left each node in a batch, counted on the wire beside the activations and gradients of its stage.

What gloo adds to a message is known to the byte, so that no image has room in it. What the last stage
collects after a batch is not in the count.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from edgeplan.runtime.emulation.wire import wire_counted
from edgeplan.runtime.pipeline.batches.job import BatchJob
from edgeplan.runtime.pipeline.batches.process import NodeProcess
from edgeplan.runtime.pipeline.batches.seen import Seen
from edgeplan.runtime.pipeline.stages.events import RECEIVED, SENT
from edgeplan.runtime.report.wire import wire_entry
from edgeplan.runtime.sparse.execution.exchange.link import EXPECTING_BYTES, SENDING_BYTES

WIRED = "wired"


def batch_counted(process: NodeProcess, number: int) -> AbstractContextManager[None]:
    """Count what every node sends in a batch; rank 0 keeps the count."""

    def tell(sent: list[int]) -> None:
        process.note(WIRED, batch=number, sent_bytes=sent)

    return wire_counted(
        process.job.folder,
        emulation=process.job.settings.emulation,
        timeout_s=process.job.timeout_s,
        tell=tell if process.rank == 0 else None,
        meet=process.meeting.wait,
    )


def wire_entries(job: BatchJob, seen: Seen, number: int) -> Iterator[dict[str, Any]]:
    """Yield for each node what was counted in a batch, its messages, and how large the batch's images are.

    Parameters
    ----------
    job, seen
        A finished leg of a run.
    number
        The batch.
    """
    for event in seen.all(WIRED, batch=number):
        for rank, wire in enumerate(event["sent_bytes"]):
            sent = seen.all(SENT, rank=rank, batch=number)
            expected = len(seen.all(RECEIVED, rank=rank, batch=number))
            yield {"round": number} | wire_entry(
                job.members[rank],
                wire_bytes=wire,
                parameter_bytes=sum(one["bytes"] for one in sent),
                header_bytes=SENDING_BYTES * len(sent) + EXPECTING_BYTES * expected,
                data_bytes=0 if rank else job.num_micro_batches * job.micro_batch().nbytes,
            )
