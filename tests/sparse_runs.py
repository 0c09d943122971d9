"""Small runs of three processes: a tiny MobileNetV2 on digits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from tiny_workloads import tiny_workload
from torch import Tensor

from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.models.sparse_update.plan import Slice
from edgeplan.runtime.sparse import PrunedNetwork, prune
from edgeplan.runtime.sparse.execution import Job, Progress, RunSettings, run
from edgeplan.runtime.sparse.measured import Cluster, Offer, of_workload
from edgeplan.runtime.sparse.workload.scoring import loss_of

CLUSTER = Cluster(num_devices=3, least_memory=1.0, most_memory=1.0, latency_s=1e-4, bit_per_s=1e9)
PLAIN = RunSettings(rounds=3, local_steps=2, score_every=2, emulation="none")


@cache
def document() -> dict[str, Any]:
    """An instance as ``edgeplan instance`` makes it, notes included."""
    return of_workload(
        tiny_workload(), CLUSTER, Offer(batch_size=4), "probe", lambda _title: nullcontext(None)
    )


def problem(**members: Any) -> SparseUpdate:
    changed = document() | members
    return SparseUpdate.from_document({k: v for k, v in changed.items() if not k.startswith("x-")})


def device_plans() -> list[dict[str, Any]]:
    """One device that trains little, one that trains much, and one that trains everything in part."""
    names = [layer["name"] for layer in document()["layers"]]
    chosen = [
        (2, {names[-1]: 0.5}),
        (20, dict.fromkeys(names[-20::2], 0.25) | {names[-1]: 1.0}),
        (53, dict.fromkeys(names[::3], 0.5) | dict.fromkeys(names[-3:], 0.125)),
    ]
    return [
        {
            "id": f"device-{d}",
            "depth": depth,
            "updates": [{"layer": name, "ratio": ratio} for name, ratio in ratios.items()],
        }
        for d, (depth, ratios) in enumerate(chosen)
    ]


def canonical_plan() -> SparsePlan:
    return SparsePlan.from_document({"devices": device_plans()})


def free_plan(given: SparseUpdate) -> SparsePlan:
    """Everything in one all-reduce among all, where those that do not train a slice send zeros."""
    slices = [
        one.slice.model_dump(by_alias=True, exclude_defaults=True)
        for one in given.cost(canonical_plan()).updated
    ]
    everybody = [f"device-{d}" for d in range(3)]
    collectives = [{"kind": "all_reduce", "members": everybody, "slices": slices}]
    return SparsePlan.from_document({"devices": device_plans(), "collectives": collectives})


@dataclass(frozen=True)
class FinishedRun:
    job: Job
    report: dict[str, Any]

    def parameters(self) -> dict[str, Tensor]:
        found: dict[str, Tensor] = torch.load(self.job.folder / "parameters.pt", weights_only=True)
        return found


@contextmanager
def tiny_starts() -> Iterator[None]:
    """Let the tiny start be found where it has been made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEPLAN_CACHE", str(tiny_workload().folder))
        yield


def finished(
    folder: Path,
    given: SparseUpdate,
    plan: SparsePlan,
    settings: RunSettings,
    on_progress: Progress | None = None,
) -> FinishedRun:
    with tiny_starts():
        report = run(given, plan, document(), settings, out=folder, on_progress=on_progress)
    return FinishedRun(Job.read(folder / "job.json"), report)


def in_one_process(
    job: Job, gone_from: Mapping[str, int] = MappingProxyType({})
) -> tuple[dict[str, Tensor], ...]:
    """The rounds of a run without processes, groups or messages: the replicas of who is left in the end.

    `gone_from` has the first round without each device that is lost. Sums go round the ring as it is defined.
    """
    workload, settings = tiny_workload(), job.settings
    replicas = {device["id"]: _replica(device) for device in device_plans()}
    streams = {name: index for index, name in enumerate(replicas)}
    for number in range(1, settings.rounds + 1):
        replicas = {name: one for name, one in replicas.items() if gone_from.get(name, number + 1) > number}
        for name, (network, optimizer) in replicas.items():
            for step in range((number - 1) * settings.local_steps, number * settings.local_steps):
                optimizer.zero_grad()
                loss_of(network.module, workload.batch(streams[name], step, 4)).backward()
                optimizer.step()
                network.write_back()
        _aggregate({name: network for name, (network, _) in replicas.items()})
    return tuple(network.state_dict() for network, _ in replicas.values())


def _replica(device: dict[str, Any]) -> tuple[PrunedNetwork, torch.optim.Optimizer]:
    workload = tiny_workload()
    network = prune(
        workload.start(),
        workload.layers(4),
        depth=device["depth"],
        ratios={update["layer"]: update["ratio"] for update in device["updates"]},
        orders=workload.orders(),
    )
    return network, torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)


def _aggregate(networks: Mapping[str, PrunedNetwork]) -> None:
    """Run the canonical collectives of these devices alone."""
    given = problem(devices=[device for device in document()["devices"] if device["id"] in networks])
    devices = [device for device in device_plans() if device["id"] in networks]
    for one in given.cost(SparsePlan.from_document({"devices": devices})).collectives:
        givers = [one.root] if one.root else list(one.members)
        buffers = [torch.cat([read(networks[name], part) for part in one.slices]) for name in givers]
        sizes = [read(networks[givers[0]], part).numel() for part in one.slices]
        for part, values in zip(one.slices, torch.split(_ring_sum(buffers), sizes), strict=True):
            for name in one.members:
                write(networks[name], part, values / len(givers))


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


def read(network: PrunedNetwork, part: Slice) -> Tensor:
    layer = network.layers[part.layer]
    return layer.read_bias() if part.bias else layer.read_weights(part.from_ or 0.0, part.to or 0.0)


def write(network: PrunedNetwork, part: Slice, values: Tensor) -> None:
    layer = network.layers[part.layer]
    if part.bias:
        layer.write_bias(values)
    else:
        layer.write_weights(part.from_ or 0.0, part.to or 0.0, values)
