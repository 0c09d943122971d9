"""Small runnable schedules on the small VGG and the digits, figures by hand but for the parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edgeplan.models.federated import FederatedSchedule
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.runtime.data.shards import sample_order
from edgeplan.runtime.federated import Job
from edgeplan.runtime.profiling import build, cut

CLIENTS = ("node-0", "node-1", "node-2")


@dataclass(frozen=True)
class Finished:
    job: Job
    report: dict[str, Any]


def problem(
    network: str = "small-vgg", clients: tuple[str, ...] = CLIENTS, **members: Any
) -> LayerAssignment:
    figures = {"forward_flops": 1000, "input_gradient_flops": 1000, "weight_gradient_flops": 1000}
    sizes = {"output_bytes": 16, "saved_bytes": 16, "saved_frozen_bytes": 16}
    layers = [
        {"name": layer.name, "parameters": layer.num_parameters, **figures, **sizes}
        for layer in cut(build(network))
    ]
    nodes = [{"id": name, "flops_per_s": 1e12, "memory_bytes": 10**9} for name in (*clients, "hub")]
    training = {"batch_size": 16, "local_steps": 3, "weight_bytes": 4, "gradient_bytes": 4}
    return LayerAssignment.from_document(
        {
            "format": "edgeplan/1",
            "problem": "layer_assignment",
            "name": "digits",
            "model": {"name": network, "layers": layers},
            "network": {"nodes": nodes},
            "training": training | {"optimizer_bytes": 4},
            "schedule": "serial",
            **members,
        }
    )


def schedule(*rounds: list[dict[str, Any]]) -> FederatedSchedule:
    return FederatedSchedule.from_document(
        {
            "format": "edgeplan/1",
            "kind": "federated_schedule",
            "server": "hub",
            "rounds": [{"clients": clients} for clients in rounds],
        }
    )


def recomputed(job: Job, gone_from: dict[str, int] | None = None) -> list[float]:
    """Federated averaging in one process: no messages, the clients of a round one after another.

    `gone_from` are clients that are left out from a round on, counted from 1.
    """
    module = build(job.problem.instance.model.name, seed=job.settings.seed)
    start = flat(module)
    drawn = dict.fromkeys(job.stated.clients, 0)
    for number, entry in enumerate(job.stated.schedule.rounds, start=1):
        updates: list[tuple[float, torch.Tensor]] = []
        for name in drawn:
            part = next((one for one in entry.clients if one.node == name), None)
            if part is None or number >= (gone_from or {}).get(name, number + 1):
                continue
            rank = job.names.index(name)
            images = job.read_samples(rank)
            batch_size, steps = part.batch_size or 16, part.local_steps or 3
            order = sample_order(
                job.settings.seed, rank, len(images.targets), drawn[name], batch_size * steps
            )
            drawn[name] += batch_size * steps
            load(module, start)
            optimizer = torch.optim.SGD(module.parameters(), lr=0.02, momentum=0.9, fused=True)
            for some in np.split(order, steps):
                pixels = torch.from_numpy(images.inputs[some]).float() / images.white
                loss = functional.cross_entropy(module(pixels), torch.from_numpy(images.targets[some]).long())
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            weight = len(images.targets) if part.weight is None else part.weight
            updates.append((weight, flat(module).double()))
        if updates:
            total = sum(weight for weight, _ in updates)
            start = sum((weight / total) * update for weight, update in updates).float()  # type: ignore[union-attr]
    values: list[float] = start.tolist()
    return values


def flat(module: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().reshape(-1) for parameter in module.parameters()]).clone()


def load(module: nn.Module, values: torch.Tensor) -> None:
    torch.nn.utils.vector_to_parameters(values.clone(), module.parameters())
