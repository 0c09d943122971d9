"""Real profiles of BERT-base, OPT-1.3B and Llama-3-8B on mixed clusters of 4 to 64 devices.

Models come from the profiler (``edgeplan profile``), devices from instances/layer_assignment/devices.json,
each figure with its origin there. A cluster repeats eight devices in turn, shuffled with a fixed seed.
"""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.problems import problem_from_document

_DEVICES = Path(__file__).parents[1] / "instances" / "layer_assignment" / "devices.json"
_SMALL = (
    "raspberry-pi-5",
    "phone-8gen3",
    "jetson-orin-nano",
    "jetson-agx-orin",
    "phone-8gen3",
    "raspberry-pi-5",
    "jetson-orin-nano",
    "edge-server-t4",
)
_LARGE = (
    "jetson-agx-orin",
    "phone-16gb",
    "jetson-orin-nx-16gb",
    "edge-server-l4",
    "phone-16gb",
    "jetson-agx-orin",
    "jetson-orin-nx-16gb",
    "edge-server-t4",
)
_CLUSTER = {"bert-base": _SMALL, "opt-1.3b": _SMALL, "llama-3-8b": _LARGE}
_FLOAT32: dict[str, float] = {"weight_bytes": 4, "gradient_bytes": 4, "optimizer_bytes": 8}
_MIXED_PRECISION: dict[str, float] = {"weight_bytes": 2, "gradient_bytes": 2, "optimizer_bytes": 12}
_BYTES: dict[str, dict[str, float]] = {
    "bert-base": _FLOAT32,
    "opt-1.3b": _MIXED_PRECISION,
    "llama-3-8b": {**_MIXED_PRECISION, "frozen_weight_bytes": 0.5},
}
_SHARED = {
    "bert-base": ["bert.embeddings", "cls"],
    "opt-1.3b": [
        "model.decoder.embed_tokens",
        "model.decoder.embed_positions",
        "model.decoder.final_layer_norm",
        "lm_head",
    ],
    "llama-3-8b": ["model.embed_tokens", "model.norm", "lm_head"],
}
_MOST_LAYERS = {"bert-base": 3, "opt-1.3b": 6, "llama-3-8b": 6}
_SHARE_OF_SAMPLES = 0.25


@cache
def _model(name: str) -> dict[str, Any]:
    from edgeplan.runtime.profiling import profile

    return profile(name, dtype="float32" if name == "bert-base" else "bfloat16")


def _nodes(model: str, num_nodes: int) -> list[dict[str, Any]]:
    devices = json.loads(_DEVICES.read_text(encoding="utf-8"))
    rng = random.Random(f"mixed cluster {num_nodes}")
    kinds = [_CLUSTER[model][index % len(_CLUSTER[model])] for index in range(num_nodes)]
    rng.shuffle(kinds)
    nodes = []
    for index, kind in enumerate(kinds):
        figures = {key: value for key, value in devices[kind].items() if not key.startswith("x-")}
        nodes.append({"id": f"{kind}-{index}", "type": kind, **figures, "samples": rng.randrange(200, 2001)})
    return nodes


def serial_problem(model: str, num_nodes: int, transport: str) -> LayerAssignment:
    """Return the Snake round of a model; its nodes hold at least a quarter of all samples.

    Parameters
    ----------
    model
        ``bert-base``, ``opt-1.3b`` or ``llama-3-8b``.
    transport
        ``peer`` or ``server``.
    """
    nodes = _nodes(model, num_nodes)
    samples = sum(node["samples"] for node in nodes)
    limits = {
        "min_samples": int(_SHARE_OF_SAMPLES * samples),
        "max_layers_per_node": _MOST_LAYERS[model],
    }
    members: dict[str, Any] = {
        "training": {"batch_size": 1, "local_steps": 16, **_BYTES[model]},
        "schedule": "serial",
        "shared_layers": _SHARED[model],
        "train_shared": model == "bert-base",
        "transport": transport,
        "limits": limits,
    }
    if transport == "server":
        rates = {"uplink_bit_per_s": 1e10, "downlink_bit_per_s": 1e10}
        nodes.append({"id": "server", "flops_per_s": 1e12, "memory_bytes": 2**37, **rates})
        members["server"] = "server"
    return _problem(f"{model} serial {transport} on {num_nodes}", model, nodes, members)


def training_problem(model: str, num_nodes: int) -> LayerAssignment:
    """Return the pipeline that trains a batch of 32 in 16 micro-batches, 1f1b."""
    members = {
        "training": {"batch_size": 32, **_BYTES[model]},
        "schedule": "pipeline",
        "micro_batches": 16,
    }
    return _problem(f"{model} training on {num_nodes}", model, _nodes(model, num_nodes), members)


def inference_problem(model: str, num_nodes: int) -> LayerAssignment:
    """Return the pipeline that answers 16 samples one by one."""
    members = {
        "training": {"batch_size": 16, "pass": "inference", **_BYTES[model]},
        "schedule": "pipeline",
        "micro_batches": 16,
    }
    return _problem(f"{model} inference on {num_nodes}", model, _nodes(model, num_nodes), members)


def _problem(name: str, model: str, nodes: list[dict[str, Any]], members: dict[str, Any]) -> LayerAssignment:
    header = {"format": "edgeplan/1", "problem": "layer_assignment", "name": name}
    return problem_from_document({**header, "model": _model(model), "network": {"nodes": nodes}, **members})
