"""The executed slots of a segment schedule without processes, stages or messages."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from edgeplan.models.segment_scheduling import SlotPlan
from edgeplan.runtime.learning.workload import flatten
from edgeplan.runtime.pipeline import Job
from edgeplan.runtime.pipeline.course import leg_of
from edgeplan.runtime.pipeline.samples import Text
from edgeplan.runtime.profiling import build

EMBEDDING, DECODER = "embedding", "head"
"""Names of a character transformer's ends."""


def replayed(job: Job) -> Tensor:
    """Return the parameters after all slots: one network a cluster is trained, and they are averaged.

    Parameters
    ----------
    job
        A run of a character transformer, with the default learning rate.
    """
    instance, seed = job.problem.instance, job.settings.seed
    index_of = {one.id: index for index, one in enumerate(instance.clusters)}
    text = Text.for_clusters(len(instance.clusters))
    network = build(job.settings.network or instance.model.name, seed=seed)
    network.get_submodule(EMBEDDING).requires_grad_(False)
    held: dict[tuple[str, str], dict[str, Any]] = {}
    for number, slot in enumerate(_executed_slots(job), start=1):
        trained, kept = [], {}
        for planned in slot.clusters:
            assert planned.micro_batches is not None
            samples = planned.micro_batches * instance.training.micro_batch_size
            own = copy.deepcopy(network)
            codes, following = text.batch(index_of[planned.id], number, samples, seed=seed)
            for some, after in zip(
                codes.chunk(planned.micro_batches), following.chunk(planned.micro_batches), strict=True
            ):
                nn.functional.cross_entropy(own(some).flatten(0, 1), after.flatten()).backward()
            for parameter in own.parameters():
                if parameter.grad is not None:
                    parameter.grad /= planned.micro_batches
            places = [(stage.device, layer) for stage in planned.stages for layer in stage.layers]
            for place in [*places, (planned.id, DECODER)]:
                optimizer = _optimizer(job, own.get_submodule(place[1]))
                if place in held:
                    optimizer.load_state_dict(held[place])
                optimizer.step()
                kept[place] = copy.deepcopy(optimizer.state_dict())
            trained.append((own, samples))
        held = kept
        total = sum(samples for _, samples in trained)
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                mean = sum(own.get_parameter(name).double() * (samples / total) for own, samples in trained)
                assert isinstance(mean, Tensor)
                parameter.copy_(mean.float())
    return flatten(list(network.parameters()))


def _executed_slots(job: Job) -> Iterator[SlotPlan]:
    """Yield the plans of all slots, each as it was made in the end."""
    sinces = [leg.since for leg in job.legs]
    for number in range(1, job.num_slots + 1):
        leg = job.legs[leg_of(sinces, number)]
        yield leg.plan.slots[number - leg.since - 1]


def _optimizer(job: Job, module: nn.Module) -> torch.optim.Optimizer:
    kind = job.problem.instance.training.optimizer_bytes
    if kind == 8:
        return torch.optim.Adam(module.parameters(), lr=0.001, fused=True)
    return torch.optim.SGD(
        module.parameters(), lr=0.02 if kind else 0.05, momentum=0.9 if kind else 0.0, fused=True
    )
