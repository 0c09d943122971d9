"""Benchmarks of layer_assignment solvers, side by side in one run: ``make bench``.

Instances are random (layers of 1 to 10 million parameters, speeds and rates log-uniform over two
decades, memory for a twentieth to a half of the trained model). Rivals: what auto takes; our CP-SAT solver;
its programme alone, on all steps without a plan, bound or pruning; and the heuristic.
Prints a table in Markdown; the last one with date, hardware and command is in RESULTS.md.
"""

from __future__ import annotations

import argparse
import random
import time
from typing import Any

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.problems import problem_from_document
from edgeplan.solvers.layer_assignment.choice import Auto
from edgeplan.solvers.layer_assignment.circulation.cp_sat import CpSat
from edgeplan.solvers.layer_assignment.heuristic.heuristic import Heuristic
from edgeplan.solvers.limits import SolveLimits

PEERS = [
    (24, 8, 4),
    (24, 24, 4),
    (24, 24, 12),
    (24, 24, 16),
    (24, 24, 20),
    (48, 48, 4),
    (96, 32, 4),
    (96, 32, 20),
]
SERVERS = [(24, 24, 4), (24, 24, 12), (48, 48, 4), (96, 32, 4)]


def random_problem(
    num_layers: int, num_nodes: int, min_nodes: int, transport: str, seed: int
) -> LayerAssignment:
    """Draw one instance."""
    rng = random.Random(f"{num_layers} {num_nodes} {min_nodes} {transport} {seed}")
    layers = [_layer(rng, k) for k in range(num_layers)]
    total = sum(layer["parameters"] for layer in layers)
    nodes = [_node(rng, k, total) for k in range(num_nodes)]
    document: dict[str, Any] = {
        "format": "edgeplan/1",
        "problem": "layer_assignment",
        "model": {"layers": layers},
        "network": {"nodes": nodes},
        "training": {"batch_size": 32, "weight_bytes": 4, "gradient_bytes": 4, "optimizer_bytes": 8},
        "schedule": "serial",
        "transport": transport,
        "limits": {"min_nodes": min_nodes, "max_layers_per_node": 12},
    }
    if transport == "server":
        nodes.append({"id": "server", "flops_per_s": 1e12, "memory_bytes": 1, "uplink_bit_per_s": 1e9})
        document["server"] = "server"
    return problem_from_document(document)


def _layer(rng: random.Random, k: int) -> dict[str, Any]:
    parameters = rng.randint(1_000_000, 10_000_000)
    flops = 20.0 * parameters
    return {
        "name": f"layer{k}",
        "parameters": parameters,
        "forward_flops": flops,
        "input_gradient_flops": flops,
        "weight_gradient_flops": flops,
        "output_bytes": rng.randint(10_000, 100_000),
        "saved_bytes": rng.randint(100_000, 1_000_000),
        "saved_frozen_bytes": rng.randint(1_000, 100_000),
    }


def _node(rng: random.Random, k: int, total: int) -> dict[str, Any]:
    return {
        "id": f"node{k}",
        "flops_per_s": 10 ** rng.uniform(9.5, 11.5),
        "memory_bytes": int(4 * total + 12 * total * rng.uniform(0.05, 0.5) + 96e6),
        "uplink_bit_per_s": 10 ** rng.uniform(6.5, 8.5),
        "downlink_bit_per_s": 10 ** rng.uniform(6.5, 8.5),
        "latency_s": rng.uniform(0, 0.02),
    }


def row(problem: LayerAssignment, label: str, time_limit_s: float) -> str:
    """One line of the table: every rival on one instance."""
    cells = []
    best = None
    for solver in (Auto(), CpSat(), CpSat(polish=False), Heuristic()):
        started = time.monotonic()
        result = solver.solve(problem, SolveLimits(time_limit_s=time_limit_s, workers=2))
        seconds = time.monotonic() - started
        best = result.objective if best is None else best
        ratio = "none" if result.objective is None or best is None else f"{result.objective / best:.4f}"
        gap = "no bound" if result.gap is None else f"gap {100 * result.gap:.2g} %"
        cells.append(f"{ratio}, {gap}, {seconds:.1f} s")
    return f"| {label} | " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds for each solve")
    parser.add_argument("--seeds", type=int, default=3, help="instances of each size")
    arguments = parser.parse_args()
    print("| instance | auto | cp-sat | CP-SAT alone, all steps | heuristic |")
    print("| --- | --- | --- | --- | --- |")
    for transport, cases in (("peer", PEERS), ("server", SERVERS)):
        for num_layers, num_nodes, min_nodes in cases:
            for seed in range(1, arguments.seeds + 1):
                problem = random_problem(num_layers, num_nodes, min_nodes, transport, seed)
                label = f"{transport} {num_layers} x {num_nodes}, min_nodes {min_nodes}, seed {seed}"
                print(row(problem, label, arguments.time_limit), flush=True)


if __name__ == "__main__":
    main()
