"""Instances published with the partitioning algorithms of Tarnawski et al., NeurIPS 2020, for inference.

J. Tarnawski et al., Efficient algorithms for device placement of DNN graph operators, NeurIPS 2020,
arXiv:2006.16423; data of its repository (MIT licence): operators with their latency on an accelerator
and on a CPU, their size, edges with the bytes that move, six accelerators of limited memory and one CPU.

Their throughput problem as a pipeline without overlap: the largest, over devices, of what the device
computes, receives and sends. Two differences: a stage is a run of consecutive operators in the order of
their numbers, and a tensor that skips stages passes through those between. Time is in the units of the
data; its sizes move at 2^31 bytes a unit. An operator's size is held as its parameters, a byte each.
"""

from __future__ import annotations

import json
from typing import Any

from benchmarks.shared_data import data_file
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.problems import problem_from_document

MODELS = ("bert24", "gnmt", "resnet50", "inceptionv3")
_BYTE_PER_UNIT = 2.0**31
_CPU_MEMORY_BYTES = 2**35  # the data has none; more than any of its models


def published_problem(model: str) -> LayerAssignment:
    """Return the inference instance of a model.

    Raises
    ------
    DataAbsentError
        When the data is not there.
    """
    data = json.loads(data_file("dnn-partitioning", f"{model}_inference.json").read_text(encoding="utf-8"))
    operators = sorted(data["nodes"], key=lambda operator: operator["id"])
    return problem_from_document(
        {
            "format": "edgeplan/1",
            "problem": "layer_assignment",
            "name": f"{model}, published",
            "model": {"name": model, "layers": [_layer(operator, data["edges"]) for operator in operators]},
            "network": {
                "nodes": _nodes(data),
                "timings": {
                    "accelerator": _timings(operators, "fpgaLatency"),
                    "cpu": _timings(operators, "cpuLatency"),
                },
            },
            "training": {
                "batch_size": 1,
                "pass": "inference",
                "weight_bytes": 1,
                "gradient_bytes": 0,
                "optimizer_bytes": 0,
            },
            "schedule": "pipeline",
            "overlap": False,
            "objective": {"bottleneck_s": 1.0},
        }
    )


def _layer(operator: dict[str, Any], edges: list[dict[str, Any]]) -> dict[str, Any]:
    sent = [edge["size"] for edge in edges if edge["sourceId"] == operator["id"]]
    read = [f"op{edge['sourceId']}" for edge in edges if edge["destId"] == operator["id"]]
    return {
        "name": f"op{operator['id']}",
        "parameters": int(operator["size"]),
        "forward_flops": 0,
        "input_gradient_flops": 0,
        "weight_gradient_flops": 0,
        "output_bytes": int(max(sent, default=0)),
        "saved_bytes": 0,
        "saved_frozen_bytes": 0,
        "inputs": read or ["input"],
    }


def _nodes(data: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = ["accelerator"] * data["maxFPGAs"] + ["cpu"] * data["maxCPUs"]
    memory = {"accelerator": int(data["maxSizePerFPGA"]), "cpu": _CPU_MEMORY_BYTES}
    rate = 8 * _BYTE_PER_UNIT
    return [
        {
            "id": f"{kind}-{index}",
            "type": kind,
            "flops_per_s": 1,
            "memory_bytes": memory[kind],
            "uplink_bit_per_s": rate,
            "downlink_bit_per_s": rate,
        }
        for index, kind in enumerate(kinds)
    ]


def _timings(operators: list[dict[str, Any]], member: str) -> dict[str, dict[str, float]]:
    return {f"op{item['id']}": {"forward_s": item[member], "backward_s": 0.0} for item in operators}
