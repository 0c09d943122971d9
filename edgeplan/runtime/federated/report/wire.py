"""What left each node during the rounds of a schedule, counted on the wire beside what the schedule says."""

from __future__ import annotations

from typing import Any

from edgeplan.runtime.federated.job import Job
from edgeplan.runtime.federated.pair import PIECES
from edgeplan.runtime.report.events import Events
from edgeplan.runtime.report.wire import wire_entry

FLOAT32_BYTES = 4
MESSAGE_BYTES = 192 * PIECES
"""Most that a message may have besides parameters: gloo tells of each piece, asks for it and sends it."""


def wire_entries(job: Job, events: Events) -> list[dict[str, Any]]:
    """Return what was counted for each node, what the schedule explains, and how large its data are.

    A client sends everything in each round that it takes part in, the server to each of the round's clients;
    a client that is lost leaves both with less.

    Parameters
    ----------
    job, events
        A finished run, and what its processes saw.
    """
    everything = FLOAT32_BYTES * sum(layer.parameters for layer in job.problem.instance.model.layers)
    sends = [0] * len(job.names)
    for index in range(job.rounds_made, job.num_rounds):
        for rank in job.ranks(index):
            sends[rank] += 1
            sends[job.server_rank] += 1
    return [
        wire_entry(
            job.names[rank],
            wire_bytes=wire,
            parameter_bytes=sends[rank] * everything,
            header_bytes=sends[rank] * MESSAGE_BYTES,
            data_bytes=_data_bytes(job, rank),
        )
        for event in events.all("wired")
        for rank, wire in enumerate(event["sent_bytes"])
    ]


def _data_bytes(job: Job, rank: int) -> int:
    if rank == job.server_rank:
        return 0
    samples = job.read_samples(rank)
    return int(samples.inputs.nbytes + samples.targets.nbytes)
