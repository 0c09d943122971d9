"""The rounds of a sparse_update run without processes, groups or messages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from edgeplan.models.sparse_update.plan import DevicePlan, Slice
from edgeplan.runtime.sparse import PrunedNetwork, prune
from edgeplan.runtime.sparse.execution import Job
from edgeplan.runtime.sparse.execution.remainder import remainder
from edgeplan.runtime.sparse.workload.scoring import loss_of

Replicas = Mapping[str, PrunedNetwork]


def replayed(job: Job, gone_from: Mapping[str, int] = MappingProxyType({})) -> tuple[dict[str, Tensor], ...]:
    """Return the replicas of who is left in the end.

    Parameters
    ----------
    job
        The run.
    gone_from
        First round without each device that is lost. Sums go round the ring as it is defined.
    """
    settings, size = job.settings, job.problem.instance.training.batch_size
    replicas = {device.id: _replica(job, device) for device in job.plan.devices}
    for number in range(1, settings.rounds + 1):
        replicas = {name: one for name, one in replicas.items() if gone_from.get(name, number + 1) > number}
        for name, (network, optimizer) in replicas.items():
            for step in range((number - 1) * settings.local_steps, number * settings.local_steps):
                optimizer.zero_grad()
                loss_of(network.module, job.workload.batch(job.index_of(name), step, size)).backward()
                optimizer.step()
                network.write_back()
        _aggregate(job, {name: network for name, (network, _) in replicas.items()})
    return tuple(network.state_dict() for network, _ in replicas.values())


def _replica(job: Job, device: DevicePlan) -> tuple[PrunedNetwork, torch.optim.Optimizer]:
    workload, settings = job.workload, job.workload.settings
    network = prune(
        workload.start(),
        workload.layers(job.problem.instance.training.batch_size),
        depth=device.depth,
        ratios={update.layer: update.ratio for update in device.updates},
        orders=workload.orders(),
    )
    rates = {"lr": settings.learning_rate, "momentum": settings.momentum}
    return network, torch.optim.SGD(network.parameters(), **rates)


def _aggregate(job: Job, networks: Replicas) -> None:
    """Run the collectives of these devices alone."""
    given, plan = remainder(job.problem, job.plan, {*job.names} - {*networks})
    for one in given.cost(plan).collectives:
        givers = [one.root] if one.root else list(one.members)
        buffers = [torch.cat([_read(networks[name], part) for part in one.slices]) for name in givers]
        sizes = [_read(networks[givers[0]], part).numel() for part in one.slices]
        for part, values in zip(one.slices, torch.split(_ring_sum(buffers), sizes), strict=True):
            for name in one.members:
                _write(networks[name], part, values / len(givers))


def _ring_sum(buffers: list[Tensor]) -> Tensor:
    """A chunk begins with the member of its number, and every member after it adds its own."""
    chunks = [torch.tensor_split(buffer, len(buffers)) for buffer in buffers]
    sums = []
    for chunk in range(len(buffers)):
        total = chunks[chunk][chunk]
        for step in range(1, len(buffers)):
            total = chunks[(chunk + step) % len(buffers)][chunk] + total
        sums.append(total)
    return torch.cat(sums)


def _read(network: PrunedNetwork, part: Slice) -> Tensor:
    layer = network.layers[part.layer]
    return layer.read_bias() if part.bias else layer.read_weights(part.from_ or 0.0, part.to or 0.0)


def _write(network: PrunedNetwork, part: Slice, values: Tensor) -> None:
    layer = network.layers[part.layer]
    if part.bias:
        layer.write_bias(values)
    else:
        layer.write_weights(part.from_ or 0.0, part.to or 0.0, values)
