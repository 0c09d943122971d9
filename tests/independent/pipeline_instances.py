"""Small random pipeline instances that use every field, also those of the serial schedule, without effect."""

from __future__ import annotations

import random
from math import ceil

from independent.case import Document
from independent.pipeline import Pipeline
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


def random_pipeline(seed: int, *, max_layers: int = 6, max_nodes: int = 5) -> Document:
    """Return the pipeline instance of this seed; about a third of them are infeasible."""
    rng = random.Random(f"edgeplan pipeline {seed}")
    layers = random_layers(rng, rng.randint(1, max_layers))
    _make_splitting_worth_it(rng, layers)
    _add_inputs(rng, layers)
    document: Document = {
        "format": "edgeplan/1",
        "problem": "layer_assignment",
        "model": {"layers": layers},
        "network": random_network(rng, [layer["name"] for layer in layers], rng.randint(1, max_nodes)),
        "training": random_training(rng),
        "schedule": "pipeline",
    }
    _make_nodes_alike(rng, document["network"]["nodes"])
    _add_options(rng, document)
    _add_fields_without_effect(rng, document)
    reference = random_plan(rng, document)
    assert reference is not None
    _add_memory(rng, document, reference)
    add_limits(rng, document, reference)
    add_assignments(rng, document, reference)
    return document


def _make_splitting_worth_it(rng: random.Random, layers: list[Document]) -> None:
    """Even out the work, keep what moves small and what is saved large."""
    if chance(rng, 0.6):
        for layer in layers:
            layer["forward_flops"] = rng.randint(10**7, 10**8)
            layer["output_bytes"] %= 10 ** rng.randint(1, 5)
    if chance(rng, 0.5):
        for layer in layers:
            layer["saved_bytes"] *= 20


def _add_inputs(rng: random.Random, layers: list[Document]) -> None:
    """Let layers read further back than the layer before them, or not even that one."""
    if not chance(rng, 0.5):
        return
    for index, layer in enumerate(layers):
        before = ["input", *(earlier["name"] for earlier in layers[:index])]
        usual = before[-1:]
        skipped = rng.sample(before, rng.randint(1, min(3, len(before))))
        layer["inputs"] = rng.choice(
            [usual, skipped, [*usual, *(name for name in skipped if name not in usual)]]
        )
        if chance(rng, 0.2):
            del layer["inputs"]


def _make_nodes_alike(rng: random.Random, nodes: list[Document]) -> None:
    """Leave one or two kinds of nodes, which differ in nothing but their ids."""
    if not chance(rng, 0.3):
        return
    kinds = nodes[: rng.randint(1, 2)]
    for index, node in enumerate(nodes[len(kinds) :], len(kinds)):
        nodes[index] = rng.choice(kinds) | {"id": node["id"]}


def _add_options(rng: random.Random, document: Document) -> None:
    training = document["training"]
    training["batch_size"] = rng.choice([1, 2, 4, 6, 8, 12, 32])
    if chance(rng, 0.4):
        training["pass"] = rng.choice(["training", "inference"])
    if chance(rng, 0.85):
        parts = [part for part in range(1, training["batch_size"] + 1) if training["batch_size"] % part == 0]
        document["micro_batches"] = rng.choice(parts)
    if chance(rng, 0.7):
        document["in_flight"] = rng.choice(["1f1b", "1f1b", "gpipe"])
    if chance(rng, 0.7):
        document["overlap"] = chance(rng, 0.3)
    if chance(rng, 0.3):
        document["node_order"] = rng.choice(["given", "given", "free"])
    if chance(rng, 0.75):
        document["objective"] = random_objective(rng)


def _add_fields_without_effect(rng: random.Random, document: Document) -> None:
    nodes = document["network"]["nodes"]
    if chance(rng, 0.25):
        document |= {"transport": "server", "server": rng.choice(nodes)["id"]}
    if chance(rng, 0.3):
        document["train_shared"] = chance(rng, 0.5)
    if chance(rng, 0.2):
        document["shared_layers"] = []
    if chance(rng, 0.3):
        for node in nodes:
            if chance(rng, 0.5):
                node["available_s"] = rng.choice([None, [], random_windows(rng, 1.0)])


def _add_memory(rng: random.Random, document: Document, reference: Document) -> None:
    """Give nodes what a run needs at some place of the pipeline, to the byte, give or take one."""
    if not chance(rng, 0.75):
        return
    case = Pipeline(document)
    count, deepest = len(case.layers), min(case.num_micro_batches, len(case.layers))
    most, share = (max(1, count // 2), 1.0) if chance(rng, 0.5) else (count, 0.6)
    runs = [tuple(range(a, b)) for a in range(count) for b in range(a + 1, min(a + most, count) + 1)]
    for node in case.nodes:
        if chance(rng, share):
            need = case.memory(rng.choice(runs), rng.randint(1, deepest))
            node["memory_bytes"] = max(1, ceil(need) + rng.choice([0, 0, -1, 1, int(need) // 3]))
    if chance(rng, 0.7):
        stages = case.stages_of(reference)
        for k, (node_index, _) in enumerate(stages):
            short = 0 if chance(rng, 0.9) else 1
            case.nodes[node_index]["memory_bytes"] = max(1, ceil(case.memory_of(stages, k)) - short)
