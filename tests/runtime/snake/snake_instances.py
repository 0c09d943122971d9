"""Small runnable instances: the small VGG on digits, figures by hand but for the parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.runtime.profiling import build, cut
from edgeplan.runtime.snake import Job

OWN = ("features.2", "features.5", "features.7")
SHARED = ("features.0", "classifier")


@dataclass(frozen=True)
class Finished:
    job: Job
    report: dict[str, Any]


def model_section(network: str = "small-vgg") -> dict[str, Any]:
    figures = {
        "forward_flops": 1000,
        "input_gradient_flops": 1000,
        "weight_gradient_flops": 1000,
        "output_bytes": 16,
        "saved_bytes": 16,
        "saved_frozen_bytes": 16,
    }
    layers = [
        {"name": layer.name, "parameters": layer.num_parameters, **figures} for layer in cut(build(network))
    ]
    return {"name": network, "layers": layers}


def document(network: str = "small-vgg", num_nodes: int = 3, **members: Any) -> dict[str, Any]:
    nodes = [{"id": f"node-{k}", "flops_per_s": 1e12, "memory_bytes": 10**9} for k in range(num_nodes)]
    return {
        "format": "edgeplan/1",
        "problem": "layer_assignment",
        "name": "digits",
        "model": model_section(network),
        "network": {"nodes": [*nodes, {"id": "hub", "flops_per_s": 1e12, "memory_bytes": 10**9}]},
        "training": training(),
        "schedule": "serial",
        **members,
    }


def training(**members: Any) -> dict[str, Any]:
    section = {"batch_size": 16, "local_steps": 3, "weight_bytes": 4, "gradient_bytes": 4}
    return section | {"optimizer_bytes": 4} | members


def problem(network: str = "small-vgg", **members: Any) -> LayerAssignment:
    return LayerAssignment.from_document(document(network, **members))


def plan(*own_layers: tuple[str, ...]) -> Plan:
    stages = [{"node": f"node-{k}", "layers": list(layers)} for k, layers in enumerate(own_layers)]
    return Plan.from_document({"stages": stages})
