"""Small schedules of the small language model: two devices in one cluster, one in another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor

from edgeplan.models.model import Model
from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.models.segment_scheduling.encoder import encoder_of
from edgeplan.runtime.pipeline import Job, Planner, Progress, RunSettings, run
from edgeplan.runtime.profiling import profile

BLOCKS = tuple(f"blocks.{index}" for index in range(4))
UPLINK = {"bandwidth_hz": 1e7, "power_w": 0.1}
PLAIN = RunSettings(emulation="none", seed=5)
SLOTS = 2


@cache
def model() -> dict[str, Any]:
    """The blocks of the small language model."""
    return encoder_of(Model.model_validate(profile("char-transformer"))) | {"name": "char-transformer"}


def device(name: str, **members: Any) -> dict[str, Any]:
    return {
        "id": name,
        "flops_per_s": 2e9,
        "memory_bytes": 2**28,
        "overhead_s": 0.001,
        "compute_power_w": 1.0,
        "max_power_w": 0.1,
        "energy_budget_j": 10.0,
    } | members


def cluster(name: str, *devices: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": name,
        "d2d_bandwidth_hz": 1e7,
        "node_order": "free",
        "uplink_max_power_w": 0.1,
        "uplink_energy_budget_j": 10.0,
        "embedding_s": 0.01,
        "decoder_s": 0.004,
        "devices": list(devices),
    }


TRAINING = {
    "micro_batch_size": 2,
    "max_micro_batches": 8,
    "weight_bytes": 4,
    "gradient_bytes": 4,
    "optimizer_bytes": 8,
    "in_flight": "1f1b",
}


def problem(*clusters: dict[str, Any], **training: Any) -> SegmentScheduling:
    """Return an instance whose gains change from slot to slot."""
    ids = [one["id"] for entry in clusters for one in entry["devices"]]
    return SegmentScheduling.from_document(
        {
            "format": "edgeplan/1",
            "problem": "segment_scheduling",
            "name": "small",
            "model": model(),
            "clusters": list(clusters),
            "uplink_bandwidth_hz": 1e8,
            "noise_w_per_hz": 4e-21,
            "training": TRAINING | training,
            "control": {"tradeoff": 1.0, "slots": SLOTS, "noise_level": 1.0, "noise_budget": 1.0},
            "channels": {
                "kind": "trace",
                "d2d": {name: [1e-9, 2e-9] for name in ids},
                "uplink": {entry["id"]: [1e-9, 5e-10] for entry in clusters},
            },
        }
    )


def entry(name: str, micro_batches: int, *stages: tuple[str, tuple[str, ...]]) -> dict[str, Any]:
    """Return what a cluster does; all hops but the last have some band and power."""
    hop = {"bandwidth_hz": 1e6, "power_w": 0.05}
    return {
        "id": name,
        "micro_batches": micro_batches,
        "uplink": UPLINK,
        "stages": [
            {"device": device, "layers": list(layers), **(hop if k < len(stages) - 1 else {})}
            for k, (device, layers) in enumerate(stages)
        ],
    }


def plan(*slots: list[dict[str, Any]]) -> SegmentPlan:
    return SegmentPlan.from_document({"slots": [{"clusters": entries} for entries in slots]})


def two_clusters(**training: Any) -> SegmentScheduling:
    return problem(cluster("c0", device("d0"), device("d1")), cluster("c1", device("d2")), **training)


def uneven() -> SegmentPlan:
    """Fewer micro-batches than stages in one slot, and blocks that move to the other device in the next."""
    return plan(
        [entry("c0", 5, ("d0", BLOCKS[:1]), ("d1", BLOCKS[1:])), entry("c1", 2, ("d2", BLOCKS))],
        [entry("c0", 2, ("d1", BLOCKS[:3]), ("d0", BLOCKS[3:])), entry("c1", 3, ("d2", BLOCKS))],
    )


@dataclass(frozen=True)
class FinishedRun:
    job: Job
    report: dict[str, Any]

    def parameters(self) -> Tensor:
        import numpy as np

        return torch.from_numpy(np.load(self.job.folder / "parameters.npy", allow_pickle=False))


def finished(
    folder: Path,
    given: SegmentScheduling,
    planned: SegmentPlan,
    settings: RunSettings,
    planner: Planner | None = None,
    on_progress: Progress | None = None,
) -> FinishedRun:
    report = run(given, planned, settings, out=folder, planner=planner, on_progress=on_progress)
    return FinishedRun(Job.read(folder / "job.json"), report)
