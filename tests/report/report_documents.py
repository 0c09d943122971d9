"""Inputs of the report's tests: a small and a larger instance, plans, results and runs made up from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.layer_assignment.examples import two_layers_two_nodes

TWO_STAGES = [{"node": "slow", "layers": ["conv"]}, {"node": "fast", "layers": ["head"]}]
_TYPES = (
    ("jetson-nano", 2.4e11, 4),
    ("raspberry-pi-5", 6.0e10, 8),
    ("phone", 1.2e11, 6),
    ("gateway", 9e11, 16),
)


def small() -> LayerAssignment:
    """Two layers on two nodes, each of which can hold its own layer."""
    problem = two_layers_two_nodes()
    network = problem.to_document()["network"]
    network["nodes"][0]["memory_bytes"] = 30_000
    return problem.replace(network=network)


def larger(num_nodes: int = 8, num_layers: int = 24, **members: Any) -> LayerAssignment:
    """Transformer blocks between two shared layers, on nodes of four types."""
    document = {
        "format": "edgeplan/1",
        "problem": "layer_assignment",
        "name": f"{num_layers} blocks on {num_nodes} devices",
        "model": {"name": "opt-like", "layers": [_layer(k, num_layers) for k in range(num_layers)]},
        "network": {"nodes": [_node(k) for k in range(num_nodes + 2)]},
        "training": {
            "batch_size": 8,
            "local_steps": 5,
            "weight_bytes": 4,
            "gradient_bytes": 4,
            "optimizer_bytes": 8,
            "reserve_bytes": 300 * 2**20,
        },
        "schedule": "serial",
        "shared_layers": ["block.00", f"block.{num_layers - 1:02}"],
        "objective": {"time_s": 1.0},
    }
    # Through to_document, which writes 4 as 4.0, so that hash and written file agree.
    return LayerAssignment.from_document(document).replace(**members)


def _layer(k: int, num_layers: int) -> dict[str, Any]:
    ends = k in (0, num_layers - 1)
    flops = 2.4e9 * (0.4 if ends else 1 + 0.02 * k)
    return {
        "name": f"block.{k:02}",
        "parameters": 3_200_000 if ends else 7_087_872 + 1000 * k,
        "forward_flops": flops,
        "input_gradient_flops": flops,
        "weight_gradient_flops": flops,
        "output_bytes": 786_432,
        "saved_bytes": 9_437_184,
        "saved_frozen_bytes": 3_145_728,
    }


def _node(k: int) -> dict[str, Any]:
    kind, flops_per_s, gib = _TYPES[k % len(_TYPES)]
    return {
        "id": f"{kind}-{k}",
        "type": kind,
        "flops_per_s": flops_per_s * (1 + 0.05 * (k % 3)),
        "memory_bytes": gib * 2**30,
        "uplink_bit_per_s": 2e7 * (1 + k % 4),
        "downlink_bit_per_s": 1e8,
        "latency_s": 0.004,
        "compute_power_w": 10.0,
        "samples": 1000 + 10 * k,
        **({"available_s": [[900.0, 1e6]]} if k == 2 else {}),
    }


def even_plan(problem: LayerAssignment, num_stages: int) -> Plan:
    """Give every node in turn an equal run of the layers that are not shared."""
    names = [layer.name for layer in problem.instance.model.layers]
    own = [name for name in names if name not in problem.instance.shared_layers]
    nodes = [node.id for node in problem.instance.network.nodes if node.id != problem.instance.server]
    cuts = [round(k * len(own) / num_stages) for k in range(num_stages + 1)]
    stages = [{"node": nodes[k], "layers": own[cuts[k] : cuts[k + 1]]} for k in range(num_stages)]
    return Plan.from_document({"stages": stages})


def result(problem: LayerAssignment, plan: Plan, **members: Any) -> dict[str, Any]:
    """Make the result document of a plan, its bound 4 % below."""
    objective = problem.objective(plan)
    assert objective is not None
    bound = 0.96 * objective
    steps = [(0.02, 1.6, None), (0.4, 1.2, 0.5), (1.9, 1.05, 0.9), (3.1, 1.0, 0.96)]
    return {
        "format": "edgeplan/1",
        "problem": problem.name,
        "instance_sha256": problem.instance_sha256,
        "status": "feasible",
        "stop": "time_limit",
        "objective": objective,
        "bound": bound,
        "gap": abs(objective - bound) / abs(objective),
        "plan": plan.to_document(),
        "metrics": problem.metrics(plan),
        "conflicts": [],
        "detail": None,
        "solver": {"name": "cp-sat", "version": "9.15", "seed": 0, "workers": 2, "options": {}},
        "incumbents": [
            {"runtime_s": at, "objective": objective * above, "bound": below and objective * below}
            for at, above, below in steps
        ],
        "runtime_s": 3.4,
    } | members


def infeasible(problem: LayerAssignment) -> dict[str, Any]:
    """Make a result that names the limits in conflict."""
    message = "node fast needs 20,000 bytes and has 10,000"
    conflict = {"pointer": "/network/nodes/0/memory_bytes", "need": 20_000, "have": 10_000}
    return {
        "format": "edgeplan/1",
        "problem": problem.name,
        "instance_sha256": problem.instance_sha256,
        "status": "infeasible",
        "stop": "proof",
        "bound": None,
        "gap": None,
        "conflicts": [conflict | {"change_to": 20_000, "restores": True, "message": message}],
        "solver": {"name": "cp-sat", "version": "9.15", "seed": 0, "workers": 1, "options": {}},
        "runtime_s": 0.1,
    }


def run(problem: LayerAssignment, plan: Plan, *, rounds: int = 12, slower: float = 1.06) -> dict[str, Any]:
    """Make a run report whose times are `slower` than predicted and whose bytes are equal."""
    metrics = problem.metrics(plan)
    time_s, moved = metrics["time_s"], metrics["bytes_moved"]
    curve = [0.93 - 0.75 * 0.72**k for k in range(1, rounds + 1)]
    return {
        "format": "edgeplan/1",
        "kind": "run",
        "problem": problem.name,
        "instance_sha256": problem.instance_sha256,
        "name": "digits on emulated devices",
        "settings": {"rounds": rounds, "seed": 0, "backend": "gloo"},
        "machine": {"cpu": "2 cores", "torch": "2.13.0"},
        "notes": ["Rates are emulated by sleeping in send and receive."],
        "nodes": [
            {"node": stage["node"], "rank": k, "samples": 100 + k, "label_counts": [60, 40 + k]}
            for k, stage in enumerate(metrics["stages"])
        ],
        "stages": [
            _run_stage(stage, own.layers, slower)
            for stage, own in zip(metrics["stages"], plan.stages, strict=True)
        ],
        "rounds": [
            {
                "round": k,
                "time_s": time_s * slower * (1 + 0.01 * (k % 3)),
                "predicted_time_s": time_s,
                "bytes_moved": moved,
                "loss": 2.2 * 0.8**k,
                "accuracy": curve[k - 1],
                "timeline": [_visit(stage, slower) for stage in metrics["stages"]],
            }
            for k in range(1, rounds + 1)
        ],
        "totals": {
            "predicted_round_s": time_s,
            "measured_round_s": time_s * slower,
            "predicted_bytes_per_round": moved,
            "measured_bytes_per_round": moved,
            "bytes_equal": True,
            "frozen_unchanged": True,
            "accuracy": curve[-1],
        },
        "baseline": {
            "name": "FedAvg",
            "rounds": [
                {
                    "round": k,
                    "loss": 2.0 * 0.78**k,
                    "accuracy": 0.94 - 0.7 * 0.68**k,
                    "bytes_moved": 2 * moved,
                }
                for k in range(1, rounds + 1)
            ],
            "accuracy": 0.94 - 0.7 * 0.68**rounds,
            "bytes_per_round": 2 * moved,
            "snake_accuracy_ratio": curve[-1] / (0.94 - 0.7 * 0.68**rounds),
            "snake_bytes_ratio": 0.5,
            "device_iterations": 480,
        },
        "passed": True,
        "failures": [],
    }


_TAKEN = ("bytes_in", "bytes_out", "transfer_in_s", "transfer_out_s", "compute_s", "memory_bytes")


def _run_stage(stage: dict[str, Any], layers: tuple[str, ...], slower: float) -> dict[str, Any]:
    predicted = {key: stage[key] for key in _TAKEN}
    measured = {key: value * slower if key.endswith("_s") else value for key, value in predicted.items()}
    measured["memory_bytes"] = round(predicted["memory_bytes"] * 0.97)
    return {
        "node": stage["node"],
        "layers": list(layers),
        "predicted": predicted,
        "measured": measured,
        "frozen_unchanged": True,
        "frozen_bytes_checked": 1_000_000,
    }


def _visit(stage: dict[str, Any], slower: float) -> dict[str, Any]:
    end_s = stage["end_s"] * slower
    compute_s, out_s = stage["compute_s"] * slower, stage["transfer_out_s"] * slower
    return {
        "node": stage["node"],
        "start_s": 100.0 + stage["start_s"] * slower,
        "transfer_in_s": stage["transfer_in_s"] * slower,
        "compute_start_s": 100.0 + end_s - out_s - compute_s,
        "compute_s": compute_s,
        "end_s": 100.0 + end_s,
    }


def write(folder: Path, **documents: dict[str, Any]) -> list[Path]:
    """Write every document to a file of its name."""
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
    return [folder / f"{name}.json" for name in documents]
