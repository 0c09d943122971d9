"""What left each node in a batch, counted on the wire beside the activations and gradients of its stage.

What gloo adds to a message is known to the byte, so that no image has room in it. What the last stage
collects after a batch is not in the count.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from edgeplan.runtime.pipeline.batches.job import BatchJob
from edgeplan.runtime.pipeline.batches.process import NodeProcess
from edgeplan.runtime.pipeline.batches.seen import Seen
from edgeplan.runtime.pipeline.stages.events import RECEIVED, SENT
from edgeplan.runtime.pipeline.stages.wire import WIRED, counted
from edgeplan.runtime.report.wire import wire_entry
from edgeplan.runtime.sparse.execution.exchange.link import header_bytes


def batch_counted(process: NodeProcess, number: int) -> AbstractContextManager[None]:
    """Count what every node sends in a batch."""
    job = process.job
    return counted(process, job.folder, job.settings.emulation, job.timeout_s, batch=number)


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
                header_bytes=header_bytes(len(sent), expected),
                data_bytes=0 if rank else job.num_micro_batches * job.micro_batch().nbytes,
            )
