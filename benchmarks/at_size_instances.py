"""Seeded instances at size: 100 layers on 100,000 nodes, one function a case and all by name.

======== =====================================================================================================
case     network and limits
======== =====================================================================================================
bar      log-uniform nodes: 1e10 to 3e12 FLOP/s, 1 to 16 GB, 3 to 300 Mbit/s each way; min_nodes 10,
         max_layers_per_node 12
free     the same without limits
many     the same with min_nodes 45, max_layers_per_node 3
equal    all nodes alike; limits of the bar
types5   40 nodes of five types, the rest of one slow type; limits of the bar
fasttight 60 fast and well connected nodes that hold about 1 to 5 layers, 2 on average, the rest slow and
         badly connected; min_nodes 10
======== =====================================================================================================

Layers have 1 to 10 million parameters. With a server, it has a node of its own, the last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.problems import problem_from_document

Schedule = Literal["server", "peer", "gpipe", "1f1b"]
Document = dict[str, Any]
Columns = dict[str, NDArray[Any]]

NUM_FAST = 60
_HELD = (0.4, 0.3, 0.15, 0.1, 0.05)  # shares of fast nodes that hold 1 to 5 layers: 126 for 100 layers
_BAR = {"min_nodes": 10, "max_layers_per_node": 12}
_TRAINING = {"batch_size": 32, "weight_bytes": 4, "gradient_bytes": 4, "optimizer_bytes": 8}
_MICRO_BATCHES = 8


def at_size_document(
    case: str, schedule: Schedule, *, num_layers: int = 100, num_nodes: int = 100_000, seed: int = 1
) -> Document:
    """Draw the instance of a case as a document.

    Parameters
    ----------
    case
        A name of `CASES`.
    schedule
        Serial with transport server or peer, or pipeline with in_flight gpipe or 1f1b.
    """
    rng = np.random.default_rng([seed, num_layers, num_nodes, list(CASES).index(case)])
    layers = _layers(rng, num_layers)
    columns, limits = CASES[case](rng, num_nodes, layers, schedule)
    document: Document = {
        "format": "edgeplan/1",
        "problem": "layer_assignment",
        "name": f"{case} {schedule} {num_layers} x {num_nodes}, seed {seed}",
        "model": {"layers": layers},
        "network": {"nodes": _nodes(columns)},
        "training": dict(_TRAINING),
        "limits": limits,
    }
    return document | _schedule_members(schedule, document)


def at_size_problem(
    case: str, schedule: Schedule, *, num_layers: int = 100, num_nodes: int = 100_000, seed: int = 1
) -> LayerAssignment:
    """Draw the instance of a case; the same arguments give the same instance."""
    return problem_from_document(
        at_size_document(case, schedule, num_layers=num_layers, num_nodes=num_nodes, seed=seed)
    )


def _schedule_members(schedule: Schedule, document: Document) -> Document:
    if schedule in ("gpipe", "1f1b"):
        return {
            "schedule": "pipeline",
            "in_flight": schedule,
            "micro_batches": _MICRO_BATCHES,
            "objective": {"bottleneck_s": 1.0},
        }
    if schedule == "peer":
        return {"schedule": "serial"}
    server = {"id": "server", "flops_per_s": 1e12, "memory_bytes": 1, "uplink_bit_per_s": 1e9}
    document["network"]["nodes"].append(server)
    return {"schedule": "serial", "transport": "server", "server": "server"}


def _layers(rng: np.random.Generator, count: int) -> list[Document]:
    parameters = rng.integers(1_000_000, 10_000_001, count)
    flops = parameters * rng.uniform(100.0, 400.0, count)
    outputs = rng.integers(10_000, 100_001, count)
    saved = rng.integers(100_000, 1_000_001, count)
    return [
        {
            "name": f"layer{k}",
            "parameters": int(parameters[k]),
            "forward_flops": float(flops[k]),
            "input_gradient_flops": float(flops[k]),
            "weight_gradient_flops": float(flops[k]),
            "output_bytes": int(outputs[k]),
            "saved_bytes": int(saved[k]),
            "saved_frozen_bytes": int(saved[k]) // 10,
        }
        for k in range(count)
    ]


def _nodes(columns: Columns) -> list[Document]:
    names, values = list(columns), [column.tolist() for column in columns.values()]
    return [
        {"id": f"node{k}", **dict(zip(names, row, strict=True))}
        for k, row in enumerate(zip(*values, strict=True))
    ]


def _log_uniform(rng: np.random.Generator, low: float, high: float, count: int) -> NDArray[np.float64]:
    return np.exp(rng.uniform(np.log(low), np.log(high), count))


def _random_columns(rng: np.random.Generator, count: int) -> Columns:
    return {
        "flops_per_s": _log_uniform(rng, 1e10, 3e12, count),
        "memory_bytes": _log_uniform(rng, 1e9, 16e9, count).astype(np.int64),
        "uplink_bit_per_s": _log_uniform(rng, 3e6, 3e8, count),
        "downlink_bit_per_s": _log_uniform(rng, 3e6, 3e8, count),
        "latency_s": rng.uniform(0.0, 0.02, count),
    }


def _bar(rng: np.random.Generator, count: int, layers: list[Document], schedule: Schedule) -> Any:
    return _random_columns(rng, count), dict(_BAR)


def _free(rng: np.random.Generator, count: int, layers: list[Document], schedule: Schedule) -> Any:
    return _random_columns(rng, count), {}


def _many(rng: np.random.Generator, count: int, layers: list[Document], schedule: Schedule) -> Any:
    stages = (45 * len(layers) + 99) // 100  # 45 of 100 layers
    return _random_columns(rng, count), {"min_nodes": stages, "max_layers_per_node": 3}


def _of_types(types: NDArray[np.intp], table: Columns) -> Columns:
    return {name: column[types] for name, column in table.items()}


def _equal(rng: np.random.Generator, count: int, layers: list[Document], schedule: Schedule) -> Any:
    table: Columns = {
        "flops_per_s": np.array([3e11]),
        "memory_bytes": np.array([6_000_000_000]),
        "uplink_bit_per_s": np.array([6e7]),
        "downlink_bit_per_s": np.array([1e8]),
        "latency_s": np.array([0.005]),
    }
    return _of_types(np.zeros(count, dtype=np.intp), table), dict(_BAR)


def _types5(rng: np.random.Generator, count: int, layers: list[Document], schedule: Schedule) -> Any:
    table: Columns = {
        "flops_per_s": np.array([3e12, 1e12, 5e11, 2e11, 1e11, 2e10]),
        "memory_bytes": np.array([4, 16, 8, 6, 16, 8]) * 1_000_000_000,
        "uplink_bit_per_s": np.array([1e8, 5e7, 3e8, 2e7, 1e8, 1e7]),
        "downlink_bit_per_s": np.array([3e8, 1e8, 1e8, 5e7, 5e7, 1e7]),
        "latency_s": np.array([0.002, 0.005, 0.001, 0.01, 0.003, 0.02]),
    }
    types = np.full(count, 5, dtype=np.intp)
    special = rng.choice(count, min(40, count), replace=False)
    types[special] = rng.integers(0, 5, len(special))
    return _of_types(types, table), dict(_BAR)


def _fasttight(rng: np.random.Generator, count: int, layers: list[Document], schedule: Schedule) -> Any:
    columns: Columns = {
        "flops_per_s": _log_uniform(rng, 1e10, 3e11, count),
        "memory_bytes": _log_uniform(rng, 4e9, 16e9, count).astype(np.int64),
        "uplink_bit_per_s": _log_uniform(rng, 3e6, 3e7, count),
        "downlink_bit_per_s": _log_uniform(rng, 3e6, 3e7, count),
        "latency_s": rng.uniform(0.005, 0.02, count),
    }
    fast = rng.choice(count, min(NUM_FAST, count), replace=False)
    held = rng.choice(5, len(fast), p=_HELD) + 1
    columns["flops_per_s"][fast] = _log_uniform(rng, 1e12, 3e12, len(fast))
    columns["memory_bytes"][fast] = [_memory_for(layers, int(number), schedule) for number in held]
    for rate in ("uplink_bit_per_s", "downlink_bit_per_s"):
        columns[rate][fast] = _log_uniform(rng, 1e8, 3e8, len(fast))
    columns["latency_s"][fast] = rng.uniform(0.0, 0.002, len(fast))
    return columns, {"min_nodes": 10}


def _memory_for(layers: list[Document], number: int, schedule: Schedule) -> int:
    """Memory for this many average layers and a tenth more of what they need."""
    parameters, saved, batch = _mean(layers, "parameters"), _mean(layers, "saved_bytes"), 32
    buffers = 2 * max(layer["output_bytes"] for layer in layers)
    if schedule in ("gpipe", "1f1b"):
        micro_batch = batch // _MICRO_BATCHES
        return int(1.1 * number * (16 * parameters + batch * saved) + micro_batch * buffers)
    passed = len(layers) * _mean(layers, "saved_frozen_bytes")
    fixed = 4 * len(layers) * parameters + batch * (passed + buffers)
    return int(fixed + 1.1 * number * (12 * parameters + batch * saved))


def _mean(layers: list[Document], member: str) -> float:
    return float(np.mean([layer[member] for layer in layers]))


CASES: dict[str, Callable[[np.random.Generator, int, list[Document], Schedule], Any]] = {
    "bar": _bar,
    "free": _free,
    "many": _many,
    "equal": _equal,
    "types5": _types5,
    "fasttight": _fasttight,
}
