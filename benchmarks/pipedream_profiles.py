"""Instances of PipeDream's profiles: vgg16, alexnet and resnet50, layer by layer on one GPU.

Source: the repository of D. Narayanan et al., PipeDream, SOSP 2019 (MIT licence), ``graph.txt`` of the
profiler: forward and backward milliseconds, activation and parameter bytes of a minibatch. One sample of
an instance is a minibatch of the profile. FLOPs are milliseconds, so a GPU as in the profile has
1000 FLOP/s. The node of the input is left out; the layers stand in the order of the node numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from benchmarks.shared_data import data_file
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.problems import problem_from_document

GPU_FLOPS_PER_S = 1000.0
PARAMETER_BYTES = 4
UNLIMITED_BYTES = 2**50
GIB = 2**30

_LAYER = re.compile(
    r"node(?P<number>\d+) -- (?P<kind>\w+).* -- forward_compute_time=(?P<forward>[\d.]+), "
    r"backward_compute_time=(?P<backward>[\d.]+), activation_size=(?P<activation>[\d.]+), "
    r"parameter_size=(?P<parameter>[\d.]+)"
)
_EDGE = re.compile(r"\s*node(\d+) -- node(\d+)\s*$")


@dataclass(frozen=True)
class Gpu:
    """A node: its speed as a share of the profile's GPU, and its memory."""

    speed: float = 1.0
    memory_bytes: int = UNLIMITED_BYTES


MIXED = (Gpu(1.0, 24 * GIB), Gpu(0.5, 12 * GIB), Gpu(0.25, 8 * GIB), Gpu(0.7, 16 * GIB))
"""A workstation's GPU, one of half its speed, a small one and one between: a mixed cluster in turn."""


def pipedream_layers(model: str, *, with_skips: bool) -> list[dict[str, Any]]:
    """Read a profile as the layers of a model section.

    Parameters
    ----------
    model
        ``vgg16``, ``alexnet`` or ``resnet50``.
    with_skips
        Whether layers read what the graph's edges say, instead of the layer before them.

    Raises
    ------
    DataAbsentError
        When the profiles are not there.
    """
    text = data_file("pipedream", model, "graph.txt").read_text(encoding="utf-8")
    found = [match for match in map(_LAYER.match, text.splitlines()) if match is not None]
    found.sort(key=lambda match: int(match["number"]))
    found = [match for match in found if match["kind"] != "Input"]
    names = {match["number"]: f"{match['kind']}-{match['number']}" for match in found}
    edges = [match.groups() for match in map(_EDGE.match, text.splitlines()) if match is not None]
    layers = [_layer(match, names[match["number"]]) for match in found]
    if with_skips:
        for match, layer in zip(found, layers, strict=True):
            read = [source for source, target in edges if target == match["number"]]
            layer["inputs"] = [names.get(source, "input") for source in read]
    return layers


def _layer(match: re.Match[str], name: str) -> dict[str, Any]:
    """FLOPs are milliseconds; what is saved for the backward pass is taken to be the activation."""
    activation = int(float(match["activation"]))
    return {
        "name": name,
        "parameters": int(float(match["parameter"])) // PARAMETER_BYTES,
        "forward_flops": float(match["forward"]),
        "input_gradient_flops": 0,
        "weight_gradient_flops": float(match["backward"]),
        "output_bytes": activation,
        "saved_bytes": activation,
        "saved_frozen_bytes": 0,
    }


def pipedream_problem(
    model: str, gpus: list[Gpu], *, byte_per_s: float, micro_batches: int = 1, objective: str = "bottleneck_s"
) -> LayerAssignment:
    """Return the pipeline of a profile on a cluster whose links have one rate.

    vgg16 and alexnet are chains, as in the golden values of the problem; resnet50 has its skip connections.

    Raises
    ------
    DataAbsentError
        When the profiles are not there.
    """
    rate = 8 * byte_per_s
    nodes = [
        {
            "id": f"gpu-{index}",
            "flops_per_s": GPU_FLOPS_PER_S * gpu.speed,
            "memory_bytes": gpu.memory_bytes,
            "uplink_bit_per_s": rate,
            "downlink_bit_per_s": rate,
        }
        for index, gpu in enumerate(gpus)
    ]
    return problem_from_document(
        {
            "format": "edgeplan/1",
            "problem": "layer_assignment",
            "name": f"{model} on {len(gpus)} GPUs",
            "model": {"name": model, "layers": pipedream_layers(model, with_skips=model == "resnet50")},
            "network": {"nodes": nodes},
            "training": {
                "batch_size": micro_batches,
                "weight_bytes": PARAMETER_BYTES,
                "gradient_bytes": PARAMETER_BYTES,
                "optimizer_bytes": PARAMETER_BYTES,
            },
            "schedule": "pipeline",
            "micro_batches": micro_batches,
            "objective": {objective: 1.0},
        }
    )


def mixed(num_gpus: int) -> list[Gpu]:
    """Return GPUs of the mixed cluster in turn."""
    return [MIXED[index % len(MIXED)] for index in range(num_gpus)]
