"""A process's stage of a pipeline, with the messages of a batch expected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from edgeplan.runtime.pipeline.stages.paces import Paces
from edgeplan.runtime.pipeline.stages.schedule import Loss, schedule_of
from edgeplan.runtime.pipeline.stages.stage import LinkedStage, Neighbour
from edgeplan.runtime.pipeline.stages.stage_process import StageProcess
from edgeplan.runtime.sparse.execution.exchange.link import GlooLink

Run = Callable[..., None]
"""Runs a stage on a batch: the first one takes it, the last one its target and a list of losses."""


def expecting_stage(
    process: StageProcess,
    module: nn.Module,
    given: Tensor,
    ranks: Sequence[int],
    *,
    neighbours: tuple[Neighbour | None, Neighbour | None],
    paces: Paces,
    order: tuple[str, int, int],
    loss: Loss,
    place: dict[str, int],
) -> Run:
    """Make the stage, and return what runs it.

    Parameters
    ----------
    process
        This process, one of the pipeline's.
    module
        Its part of the network.
    given
        A micro-batch as it comes in; what is in front of the first stage wants no gradient.
    ranks
        Of the pipeline's stages.
    neighbours
        The stages before and after it; None at the ends.
    paces
        How fast it computes.
    order
        ``1f1b`` or ``gpipe``, the micro-batches, and how many of them the stage holds at most.
    loss
        Of the last stage.
    place
        Members of every event.
    """
    with torch.no_grad():
        output: Tensor = module(given)
    kind, num_micro_batches, in_flight = order

    def note(kind: str, **members: object) -> None:
        process.note(kind, **place, **members)

    stage = LinkedStage(
        module,
        ranks,
        process.groups.of(ranks),
        (given.requires_grad_(ranks[0] != process.rank), output.requires_grad_()),
        before=neighbours[0],
        after=neighbours[1],
        paces=paces,
        note=note,
        now_s=process.now_s,
    )
    schedule = schedule_of(kind, stage, num_micro_batches, loss, in_flight)

    def run(*batch: Tensor, **rest: Any) -> None:
        schedule.step(*batch, return_outputs=False, **rest)
        for neighbour in neighbours:
            if neighbour is not None:
                neighbour.finish()

    return run


def neighbour_by(link: GlooLink, other: int, count: int, num_micro_batches: int) -> Neighbour:
    """Expect a message a micro-batch from another stage, of so many values, and send it some."""
    coming = link.receive_all([count] * num_micro_batches, other)
    return Neighbour(partial(link.send, target=other), coming, link.finish)
