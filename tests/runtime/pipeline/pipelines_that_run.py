"""A small pipeline of layer_assignment: two nodes, the small VGG on digits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

pytest.importorskip("torch")

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.runtime.pipeline.batches import BatchJob, RunSettings
from edgeplan.runtime.profiling import profile

STAGES = (("features.0", "features.2"), ("features.5", "features.7", "classifier"))
SETTINGS = RunSettings(rounds=2, seed=4, emulation="none")


@cache
def model() -> dict[str, Any]:
    """The small VGG as it is profiled."""
    return profile("small-vgg") | {"name": "small-vgg"}


def problem(**members: Any) -> LayerAssignment:
    node = {"flops_per_s": 1e9, "memory_bytes": 10**8, "uplink_bit_per_s": 1e9, "latency_s": 0.0}
    document = {
        "format": "edgeplan/1",
        "problem": "layer_assignment",
        "name": "digits",
        "model": model(),
        "network": {"nodes": [{"id": f"node-{k}", **node} for k in range(2)]},
        "training": training(),
        "schedule": "pipeline",
        "micro_batches": 4,
    }
    return LayerAssignment.from_document(document | members)


def training(**members: Any) -> dict[str, Any]:
    section = {"batch_size": 16, "weight_bytes": 4, "gradient_bytes": 4, "optimizer_bytes": 4}
    return section | members


def plan() -> Plan:
    stages = [{"node": f"node-{k}", "layers": list(layers)} for k, layers in enumerate(STAGES)]
    return Plan.from_document({"stages": stages})


@dataclass(frozen=True)
class FinishedRun:
    job: BatchJob
    report: dict[str, Any]
