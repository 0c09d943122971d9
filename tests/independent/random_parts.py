"""What random instances of both schedules are drawn from: layers, networks, limits, pins, plans."""

from __future__ import annotations

import random
from typing import Any

from independent.case import Document
from independent.evaluator import case_of, evaluate

TYPES = ("jetson", "pi", "phone")
TERMS = ("time_s", "energy_j", "price", "bottleneck_s")


def chance(rng: random.Random, probability: float) -> bool:
    return rng.random() < probability


def random_plan(rng: random.Random, document: Document) -> Document | None:
    """Return a plan that is right in structure; None if no node may serve a stage."""
    case = case_of(document)
    if not case.workers:
        return None
    k = rng.randint(1, min(len(case.workers), len(case.rest)))
    bounds = [0, *sorted(rng.sample(range(1, len(case.rest)), k - 1)), len(case.rest)]
    order = rng.sample(case.workers, k)
    if case.given_order:
        order.sort()
    runs = [tuple(case.rest[bounds[j] : bounds[j + 1]]) for j in range(k)]
    return case.as_plan(list(zip(order, runs, strict=True)))


def random_layers(rng: random.Random, count: int) -> list[Document]:
    names = [f"l{index}" for index in range(count)]
    if chance(rng, 0.1):
        rng.shuffle(names)
    tiny, no_flops = chance(rng, 0.15), chance(rng, 0.05)
    layers = [_layer(rng, name, tiny=tiny, no_flops=no_flops) for name in names]
    if chance(rng, 0.3):
        for index, layer in enumerate(layers):
            layer["inputs"] = [layers[index - 1]["name"] if index else "input"]
    return layers


def _layer(rng: random.Random, name: str, *, tiny: bool, no_flops: bool) -> Document:
    size = 3 if tiny else 10 ** rng.randint(2, 7)

    def amount(most: int) -> int:
        return 0 if chance(rng, 0.12) else rng.randint(0, most)

    return {
        "name": name,
        "parameters": amount(size),
        "forward_flops": 0 if no_flops else amount(10 ** rng.randint(4, 9)),
        "input_gradient_flops": 0 if no_flops else amount(10**8),
        "weight_gradient_flops": 0 if no_flops else amount(10**8),
        "output_bytes": amount(size),
        "saved_bytes": amount(2 * size),
        "saved_frozen_bytes": amount(size),
    }


def random_network(rng: random.Random, layers: list[str], count: int) -> Document:
    ids = [f"n{index}" for index in range(count)]
    if chance(rng, 0.2):
        rng.shuffle(ids)
    network: Document = {"nodes": [_node(rng, name) for name in ids]}
    if chance(rng, 0.5):
        network["links"] = _links(rng, ids)
    if chance(rng, 0.4):
        network["timings"] = {
            kind: {layer: _timing(rng) for layer in layers} for kind in (*TYPES, "unused") if chance(rng, 0.5)
        }
    return network


def _node(rng: random.Random, name: str) -> Document:
    node: Document = {
        "id": name,
        "flops_per_s": rng.choice([rng.uniform(1e7, 1e10), 10**9, 1e9]),
        "memory_bytes": 2**40,
    }
    if chance(rng, 0.6):
        node["type"] = rng.choice(TYPES)
    for field in ("uplink_bit_per_s", "downlink_bit_per_s"):
        if chance(rng, 0.75):
            node[field] = _rate(rng)
    if chance(rng, 0.6):
        node["latency_s"] = rng.choice([0, 0.0, rng.uniform(0, 0.5), 0.1])
    for field in ("compute_power_w", "transmit_power_w", "price_per_s"):
        if chance(rng, 0.7):
            node[field] = rng.choice([0, rng.uniform(0, 20), 1.0])
    if chance(rng, 0.4):
        node["label_counts"] = [rng.randint(0, 100) for _ in range(rng.randint(1, 4))]
    if chance(rng, 0.5):
        node["samples"] = sum(node["label_counts"]) if "label_counts" in node else rng.randint(0, 500)
    return node


def _rate(rng: random.Random) -> float | None:
    return rng.choice([None, rng.uniform(1e4, 1e7), float(10 ** rng.randint(5, 9)), 10**8])


def _links(rng: random.Random, ids: list[str]) -> list[Document]:
    links: list[Document] = [
        {"source": a, "target": b} for a in ids for b in ids if a != b and chance(rng, 0.4)
    ]
    for link in links:
        if chance(rng, 0.8):
            link["bit_per_s"] = _rate(rng)
        if chance(rng, 0.7):
            link["latency_s"] = rng.choice([0, rng.uniform(0, 0.3)])
    rng.shuffle(links)
    return links


def _timing(rng: random.Random) -> Document:
    return {
        "forward_s": rng.choice([0, rng.uniform(0, 0.01)]),
        "backward_s": rng.choice([0.0, rng.uniform(0, 0.02)]),
    }


def random_training(rng: random.Random) -> Document:
    training: Document = {
        "batch_size": rng.choice([1, 2, 4, 8, 32]),
        "weight_bytes": rng.choice([4, 2, 0.5, 4.0, 0.125, 0, 0.3]),
        "gradient_bytes": rng.choice([4, 0, 0.25, 0.1]),
        "optimizer_bytes": rng.choice([8, 0, 12, 1.7]),
    }
    if chance(rng, 0.6):
        training["local_steps"] = rng.choice([1, 2, 10])
    if chance(rng, 0.4):
        training["frozen_weight_bytes"] = rng.choice([4, 0.5, 0, 1, 0.7])
    if chance(rng, 0.4):
        training["reserve_bytes"] = rng.choice([0, rng.randint(0, 10**6)])
    return training


def random_objective(rng: random.Random) -> Document:
    weights = {term: rng.choice([0, 1.0, 1, rng.uniform(0, 5)]) for term in TERMS if chance(rng, 0.6)}
    return weights if any(weights.values()) else {rng.choice(TERMS): 1.0}


def random_windows(rng: random.Random, horizon: float) -> list[list[float]]:
    points = sorted({rng.uniform(0, 2 * horizon) for _ in range(2 * rng.randint(1, 3))})
    return [[points[j], points[j + 1]] for j in range(0, len(points) - 1, 2)]


def add_limits(rng: random.Random, document: Document, reference: Document | None) -> None:
    verdict = evaluate(document, reference) if reference else None
    stages = reference["stages"] if reference else []
    used, most = max(1, len(stages)), max([1, *(len(stage["layers"]) for stage in stages)])
    case = case_of(document)
    held = sum(case.samples(case.node_of[stage["node"]]) for stage in stages)
    limits: Document = {}
    choices: dict[str, list[Any]] = {
        "min_nodes": [1, 2, used, used, rng.randint(1, 6)],
        "max_nodes": [None, used, used, rng.randint(1, 5)],
        "max_layers_per_node": [None, most, most, rng.randint(1, 6)],
        "min_samples": [0, held, held, held + 1, rng.randint(0, 800)],
    }
    for name, values in choices.items():
        if chance(rng, 0.25):
            limits[name] = rng.choice(values)
    terms = (("deadline_s", "time_s"), ("budget_price", "price"), ("budget_energy_j", "energy_j"))
    for name, term in terms:
        value = verdict.metrics[term] if verdict and verdict.metrics else None
        if chance(rng, 0.4):
            limits[name] = _near(rng, rng.uniform(0, 10) if value is None else float(value))
    if limits or chance(rng, 0.2):
        document["limits"] = limits


def _near(rng: random.Random, value: float) -> float | None:
    """A limit that holds exactly, barely, widely, or not."""
    factors = (1, 1, 1, 2, 1.1, 0.95, 1 - 1e-6, 1 - 2e-10)
    return rng.choice([*(value * factor for factor in factors), int(value) + 1, 0, None])


def add_assignments(rng: random.Random, document: Document, reference: Document | None) -> None:
    case = case_of(document)
    # a server is pinned to nothing, not even where it serves a stage as any node
    ids = [
        case.nodes[node]["id"] for node in case.workers if case.nodes[node]["id"] != document.get("server")
    ]
    stages = reference["stages"] if reference else []
    owner = {name: stage["node"] for stage in stages for name in stage["layers"] if stage["node"] in ids}
    if owner and chance(rng, 0.25):
        document["pin"] = {
            layer: node if chance(rng, 0.85) else rng.choice(ids)
            for layer, node in owner.items()
            if chance(rng, 0.35)
        }
    if owner and chance(rng, 0.3):
        document["forbid"] = [
            [layer, other]
            for layer, node in owner.items()
            for other in ids
            if chance(rng, 0.15 if node != other else 0.015)
        ]
