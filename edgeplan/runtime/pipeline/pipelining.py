"""A process's stage of a cluster's pipeline, with the messages of the slot expected."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from edgeplan.runtime.pipeline.paces import Paces
from edgeplan.runtime.pipeline.process import ParticipantProcess
from edgeplan.runtime.pipeline.samples import loss_of
from edgeplan.runtime.pipeline.schedule import schedule_of
from edgeplan.runtime.pipeline.slots import FLOAT32_BYTES, PlannedCluster, PlannedSlot
from edgeplan.runtime.pipeline.stage import LinkedStage, Neighbour

Run = Callable[..., None]
"""Runs a stage on the slot's batch: the first one takes it, the last one its target and a list of losses."""


def expecting_stage(
    process: ParticipantProcess,
    slot: PlannedSlot,
    cluster: PlannedCluster,
    module: nn.Module,
    *,
    paces: Paces,
    in_flight: int,
) -> Run:
    """Make the stage, and return what runs it.

    Parameters
    ----------
    process
        This process, one of the pipeline's.
    slot, cluster
        What is run.
    module
        Its part of the network.
    paces
        How fast it computes.
    in_flight
        Micro-batches that it holds at most.
    """
    ranks, training = cluster.pipeline, process.job.problem.instance.training
    index = ranks.index(process.rank)
    before = _neighbour(process, slot, cluster, index - 1, index - 1) if index else None
    after = _neighbour(process, slot, cluster, index + 1, index) if index + 1 < len(ranks) else None
    stage = LinkedStage(
        module,
        ranks,
        process.groups.of(ranks),
        _examples(process, module, is_first=index == 0),
        before=before,
        after=after,
        paces=paces,
        note=partial(process.note, slot=slot.number),
        now_s=process.now_s,
    )
    schedule = schedule_of(training.in_flight, stage, cluster.micro_batches, loss_of, in_flight)

    def run(*batch: Tensor, **rest: Any) -> None:
        schedule.step(*batch, return_outputs=False, **rest)
        for neighbour in (before, after):
            if neighbour is not None:
                neighbour.finish()

    return run


def _examples(process: ParticipantProcess, module: nn.Module, *, is_first: bool) -> tuple[Tensor, Tensor]:
    """Input and output of a micro-batch; the embedding in front of the first stage wants no gradient."""
    given = torch.zeros(process.hidden(process.job.problem.instance.training.micro_batch_size))
    with torch.no_grad():
        output: Tensor = module(given)
    return given.requires_grad_(not is_first), output.requires_grad_()


def _neighbour(
    process: ParticipantProcess, slot: PlannedSlot, cluster: PlannedCluster, index: int, hop: int
) -> Neighbour:
    """Expect a message a micro-batch; the first stage's gradients alone go nowhere."""
    other, link = cluster.pipeline[index], process.link_to(slot, cluster.pipeline[index])
    counts = [cluster.stages[hop].hop_bytes // FLOAT32_BYTES] * cluster.micro_batches
    return Neighbour(partial(link.send, target=other), link.receive_all(counts, other), link.finish)
