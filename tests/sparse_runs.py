"""Small runs of three processes: a tiny MobileNetV2 on digits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from tiny_workloads import tiny_workload
from torch import Tensor

from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.runtime.sparse.execution import Job, Progress, RunSettings, run
from edgeplan.runtime.sparse.measured import Cluster, Offer, of_workload

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
