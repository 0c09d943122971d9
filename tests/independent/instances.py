"""Small random serial instances that use every field, most of them near the edge of their limits."""

from __future__ import annotations

import random
from fractions import Fraction
from math import ceil

from independent.case import Document
from independent.evaluator import evaluate
from independent.pipeline_instances import random_pipeline
from independent.random_parts import (
    add_assignments,
    add_limits,
    chance,
    random_layers,
    random_network,
    random_objective,
    random_plan,
    random_training,
    random_windows,
)
from independent.serial import Serial

__all__ = ["random_instance", "random_pipeline", "random_plan"]


def random_instance(seed: int, *, max_layers: int = 6, max_nodes: int = 5) -> Document:
    """Return the instance of this seed; about a third of them are infeasible."""
    rng = random.Random(f"edgeplan {seed}")
    layers = random_layers(rng, rng.randint(1, max_layers))
    document: Document = {
        "format": "edgeplan/1",
        "problem": "layer_assignment",
        "model": {"layers": layers},
        "network": random_network(rng, [layer["name"] for layer in layers], rng.randint(1, max_nodes)),
        "training": random_training(rng),
        "schedule": "serial",
    }
    _add_options(rng, document)
    reference = random_plan(rng, document)
    _add_windows(rng, document, reference)
    _add_memory(rng, document, reference)
    add_limits(rng, document, reference)
    add_assignments(rng, document, reference)
    return document


def _add_options(rng: random.Random, document: Document) -> None:
    names = [layer["name"] for layer in document["model"]["layers"]]
    ids = [node["id"] for node in document["network"]["nodes"]]
    if len(names) > 1 and chance(rng, 0.55):
        ends = [names[0], names[-1]] if len(names) > 2 else names[:1]
        scattered = rng.sample(names, rng.randint(1, min(len(names) - 1, 2)))
        document["shared_layers"] = rng.choice([ends, scattered])
    if chance(rng, 0.6):
        document["train_shared"] = chance(rng, 0.5)
    if len(ids) > 1 and chance(rng, 0.35):
        document |= {"transport": "server", "server": rng.choice(ids)}
    if chance(rng, 0.3):
        document["node_order"] = rng.choice(["given", "given", "free"])
    if chance(rng, 0.75):
        document["objective"] = random_objective(rng)


def _add_windows(rng: random.Random, document: Document, reference: Document | None) -> None:
    if not chance(rng, 0.4):
        return
    metrics = evaluate(document, reference).metrics if reference else None
    horizon = float(metrics["time_s"]) if metrics and metrics["time_s"] else 1.0
    for node in document["network"]["nodes"]:
        if chance(rng, 0.6):
            node["available_s"] = rng.choice([None, [], *[random_windows(rng, horizon)] * 8])
    if metrics and chance(rng, 0.6):
        _fit_windows(rng, document, metrics, horizon)


def _fit_windows(rng: random.Random, document: Document, metrics: Document, horizon: float) -> None:
    """Put windows around the reference plan, exactly or with room to spare."""
    nodes = {node["id"]: node for node in document["network"]["nodes"]}
    for stage in metrics["stages"]:
        slack = Fraction(rng.choice([0, 0, rng.uniform(0, horizon)]))
        begin = stage["start_s"] + stage["transfer_in_s"]
        first = float(max(Fraction(0), begin - slack / 2))
        last = float(begin + stage["compute_s"] + slack)
        if first < last:
            later = [[last + 0.5, last + horizon + 1]] if chance(rng, 0.4) else []
            nodes[stage["node"]]["available_s"] = [[first, last], *later]


def _add_memory(rng: random.Random, document: Document, reference: Document | None) -> None:
    if not chance(rng, 0.75):
        return
    case = Serial(document)
    needs = [
        case.memory(tuple(case.rest[a:b]))
        for a in range(len(case.rest))
        for b in range(a + 1, len(case.rest) + 1)
    ]
    for node in document["network"]["nodes"]:
        if chance(rng, 0.6):
            need = rng.choice(needs)
            node["memory_bytes"] = max(1, ceil(need) + rng.choice([0, 0, -1, 1, int(need) // 3]))
    if reference and chance(rng, 0.7):
        for stage in reference["stages"]:
            run = tuple(case.layer_of[name] for name in stage["layers"])
            short = 0 if chance(rng, 0.9) else 1
            case.nodes[case.node_of[stage["node"]]]["memory_bytes"] = max(1, ceil(case.memory(run)) - short)
