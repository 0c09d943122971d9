"""What each role does in a slot, from the beginning to the end of the upload.

Every control unit gives its devices the blocks that they train in this slot, embeds the slot's batch at once
and hands it to the first device. Stages pass activations and gradients on, micro-batch by micro-batch, up to
the decoder at the server. Devices take one step of their optimizer and hand their blocks to the control unit,
which uploads the encoder.

The embedding is the same everywhere and stays as it is: the equations know neither a gradient nor an upload
of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from edgeplan.runtime.learning.workload import assign, flatten, num_elements
from edgeplan.runtime.pipeline.participants import CONTROL, DEVICE, SERVER
from edgeplan.runtime.pipeline.process import DECODER, ParticipantProcess
from edgeplan.runtime.pipeline.samples import loss_of
from edgeplan.runtime.pipeline.slots import FLOAT32_BYTES, PlannedCluster, PlannedSlot
from edgeplan.runtime.pipeline.stages.events import RECEIVED, SENT, UPLOAD
from edgeplan.runtime.pipeline.stages.paces import Lasting, Paces
from edgeplan.runtime.processes.records import finite
from edgeplan.runtime.processes.rehearsal import COMPUTE, RECEIVE, SEND


def play_part(process: ParticipantProcess, slot: PlannedSlot) -> None:
    """Play this process's part in a slot; all processes begin together."""
    cluster = slot.of_rank(process.rank)
    if cluster is None:
        process.begin(slot)
    else:
        _PARTS[process.participant.role](process, slot, cluster)


def _control(process: ParticipantProcess, slot: PlannedSlot, cluster: PlannedCluster) -> None:
    """Give out blocks, embed, collect blocks, upload."""
    free, chain, stages = process.free_link(), process.chain, cluster.stages
    segments = [chain.encoder_parameters(stage.layers) for stage in stages]
    for stage, parameters in zip(stages, segments, strict=True):
        process.give(slot, free, flatten(parameters), stage.rank)
    returned = [
        free.receive_all([num_elements(parameters)], stage.rank)
        for stage, parameters in zip(stages, segments, strict=True)
    ]
    upload, (codes, _) = process.link_to(slot, cluster.server), process.batch(slot, cluster)
    process.begin(slot)
    process.begins(COMPUTE, slot)
    embedding_s = process.job.problem.instance.clusters[cluster.index].embedding_s
    with Lasting(embedding_s * process.job.slower).kept(), torch.no_grad():
        embedded = chain.embedding(codes)
    process.give(slot, free, embedded.reshape(-1), stages[0].rank)
    for parameters, values in zip(segments, returned, strict=True):
        assign(parameters, next(values))
    encoder = flatten(chain.encoder_parameters())
    process.begins(SEND, slot)
    process.note(SENT, slot=slot.number, what=UPLOAD, bytes=encoder.nbytes, moment_s=process.now_s())
    upload.send(encoder, cluster.server)
    upload.finish()


def _device(process: ParticipantProcess, slot: PlannedSlot, cluster: PlannedCluster) -> None:
    """Train blocks as a stage of the pipeline."""
    index = cluster.pipeline.index(process.rank)
    planned, free, chain = cluster.stages[index], process.free_link(), process.chain
    parameters = chain.encoder_parameters(planned.layers)
    process.begins(RECEIVE, slot)
    assign(parameters, free.receive(num_elements(parameters), cluster.control))
    shape = process.hidden(cluster.samples)
    embedded = free.receive_all([math.prod(shape)], cluster.control) if index == 0 else iter(())
    module = chain.segment(planned.layers)
    run = _stage(process, slot, cluster, module, process.paces, planned.in_flight)
    process.begin(slot)
    process.begins(COMPUTE, slot)
    run(*(values.view(shape) for values in embedded))
    process.step({name: chain.blocks[name] for name in planned.layers})
    process.begins(SEND, slot)
    process.give(slot, free, flatten(parameters), cluster.control)


def _server(process: ParticipantProcess, slot: PlannedSlot, cluster: PlannedCluster) -> None:
    """Compute the decoder as the pipeline's last stage, and take the encoder."""
    chain, link = process.chain, process.link_to(slot, cluster.control)
    encoder = chain.encoder_parameters()
    upload = link.receive_all([num_elements(encoder)], cluster.control)
    pass_s = process.job.problem.instance.clusters[cluster.index].decoder_s * process.job.slower / 2
    paces = Paces(Lasting(pass_s), Lasting(pass_s))
    run = _stage(process, slot, cluster, chain.decoder, paces, in_flight=1)
    _, following = process.batch(slot, cluster)
    losses: list[Tensor] = []
    process.begin(slot)
    process.begins(COMPUTE, slot)
    run(target=following, losses=losses)
    process.step({DECODER: chain.decoder})
    process.begins(RECEIVE, slot)
    values = next(upload)
    process.note(RECEIVED, slot=slot.number, what=UPLOAD, bytes=values.nbytes, moment_s=process.now_s())
    assign(encoder, values)
    process.note("trained", slot=slot.number, loss=finite(torch.stack(losses).mean().item()))


def _stage(
    process: ParticipantProcess,
    slot: PlannedSlot,
    cluster: PlannedCluster,
    module: nn.Module,
    paces: Paces,
    in_flight: int,
) -> Callable[..., None]:
    """Make this process's stage, with its messages expected."""
    # It takes a second or two to import, which who is no stage need not wait for.
    from edgeplan.runtime.pipeline.stages.pipelining import expecting_stage, neighbour_by

    ranks, training = cluster.pipeline, process.job.problem.instance.training
    index, m = ranks.index(process.rank), cluster.micro_batches
    before, after = (
        neighbour_by(
            process.link_to(slot, ranks[other]),
            ranks[other],
            cluster.stages[hop].hop_bytes // FLOAT32_BYTES,
            m,
        )
        if 0 <= other < len(ranks)
        else None
        for other, hop in ((index - 1, index - 1), (index + 1, index))
    )
    return expecting_stage(
        process,
        module,
        torch.zeros(process.hidden(training.micro_batch_size)),
        ranks,
        neighbours=(before, after),
        paces=paces,
        order=(training.in_flight, m, in_flight),
        loss=loss_of,
        place={"slot": slot.number},
    )


_PARTS: dict[str, Callable[[ParticipantProcess, PlannedSlot, PlannedCluster], None]] = {
    CONTROL: _control,
    DEVICE: _device,
    SERVER: _server,
}
