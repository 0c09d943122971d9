"""After a slot: the server averages the clusters' encoders and gives the average back.

The server's decoder is one, however many clusters it serves: what the clusters made of it is averaged too,
with the same weights, and never leaves the server.
"""

from __future__ import annotations

from torch import nn

from edgeplan.runtime.federated.averaging import weighted_mean
from edgeplan.runtime.learning.workload import assign, fingerprint, flatten, num_elements
from edgeplan.runtime.pipeline.participants import CONTROL, DEVICE, SERVER
from edgeplan.runtime.pipeline.process import ParticipantProcess
from edgeplan.runtime.pipeline.slots import PlannedSlot
from edgeplan.runtime.processes.records import finite, progress_path, write_json
from edgeplan.runtime.processes.rehearsal import AGGREGATE

PHASE = "pipeline"


def average(process: ParticipantProcess, slot: PlannedSlot) -> None:
    """Play this process's part; the first of the server's sides averages."""
    encoder, role = process.chain.encoder_parameters(), process.participant.role
    if role != DEVICE:
        process.begins(AGGREGATE, slot)
    if role == SERVER:
        _at_server(process, slot)
        process.give(slot, process.free_link(), flatten(encoder), process.partner(CONTROL))
    elif role == CONTROL:
        assign(encoder, process.free_link().receive(num_elements(encoder), process.partner(SERVER)))
    if role != DEVICE:
        process.note("averaged", slot=slot.number, fingerprint=fingerprint(encoder))


def _at_server(process: ParticipantProcess, slot: PlannedSlot) -> None:
    free, first = process.free_link(), process.servers[0]
    own = [*process.chain.encoder_parameters(), *process.chain.decoder.parameters()]
    if process.rank != first:
        process.give(slot, free, flatten(own), first)
        assign(own, free.receive(num_elements(own), first))
        return
    vectors = [
        flatten(own) if cluster.server == first else free.receive(num_elements(own), cluster.server)
        for cluster in slot.clusters
    ]
    mean = weighted_mean(vectors, [cluster.samples for cluster in slot.clusters])
    assign(own, mean)
    for other in process.servers[1:]:
        process.give(slot, free, mean, other)
    score(process, slot.number)


def score(process: ParticipantProcess, slot: int) -> None:
    """Evaluate this process's network on the text that is held out, and tell of it."""
    chain = process.chain
    network = nn.Sequential(chain.embedding, *chain.blocks.values(), chain.decoder).eval()
    found = process.text.score(network)
    network.train()
    figures = {"loss": finite(found.loss), "accuracy": found.accuracy}
    process.note("scored", slot=slot, **figures)
    told = {"phase": PHASE, "round": slot, "rounds": process.job.num_slots, **figures}
    write_json(progress_path(process.job.folder), told)
