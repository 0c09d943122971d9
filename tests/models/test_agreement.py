"""The problem judges plans as the independent evaluator does, and reads faulty documents as it should."""

from __future__ import annotations

import copy
import random
from collections import Counter
from collections.abc import Callable
from math import ceil
from typing import Any

import pytest
from independent.case import Document
from independent.evaluator import Verdict, case_of, evaluate
from independent.instances import random_instance, random_pipeline, random_plan
from independent.malformed import malformed, write
from tier import chunks

from edgeplan.errors import InvalidInputError
from edgeplan.models.document import parse
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.problems import problem_from_document

Stages = list[Document]
Corruption = Callable[[random.Random, Document, Stages], None]
Draw = Callable[[int], Document]


def layer_moved(rng: random.Random, document: Document, stages: Stages) -> None:
    layer = rng.choice(stages)["layers"].pop()
    rng.choice(stages)["layers"].append(layer)


def nodes_swapped(rng: random.Random, document: Document, stages: Stages) -> None:
    one, two = rng.choice(stages), rng.choice(stages)
    one["node"], two["node"] = two["node"], one["node"]


def node_replaced(rng: random.Random, document: Document, stages: Stages) -> None:
    rng.choice(stages)["node"] = rng.choice(document["network"]["nodes"])["id"]


def one_byte_over(rng: random.Random, document: Document, stages: Stages) -> None:
    case, k = case_of(document), rng.randrange(len(stages))
    need = case.memory_of(case.stages_of({"stages": stages}), k)
    case.nodes[case.node_of[stages[k]["node"]]]["memory_bytes"] = max(1, ceil(need) - 1)


def stages_shuffled(rng: random.Random, document: Document, stages: Stages) -> None:
    rng.shuffle(stages)


def node_unknown(rng: random.Random, document: Document, stages: Stages) -> None:
    rng.choice(stages)["node"] = "ghost"


def layer_unknown(rng: random.Random, document: Document, stages: Stages) -> None:
    rng.choice(stages)["layers"].append("ghost")


def layer_doubled(rng: random.Random, document: Document, stages: Stages) -> None:
    stage = rng.choice(stages)
    stage["layers"].append(stage["layers"][0])


def layer_dropped(rng: random.Random, document: Document, stages: Stages) -> None:
    rng.choice(stages)["layers"].pop()


def shared_layer_owned(rng: random.Random, document: Document, stages: Stages) -> None:
    rng.choice(stages)["layers"] += document.get("shared_layers", [])


def server_used(rng: random.Random, document: Document, stages: Stages) -> None:
    stage = rng.choice(stages)
    stage["node"] = document.get("server") or stage["node"]


def stage_split(rng: random.Random, document: Document, stages: Stages) -> None:
    index = rng.randrange(len(stages))
    layers = stages[index]["layers"]
    cut = rng.randint(0, len(layers))
    stages.insert(index + 1, {"node": rng.choice(document["network"]["nodes"])["id"], "layers": layers[cut:]})
    stages[index]["layers"] = layers[:cut]


def all_dropped(rng: random.Random, document: Document, stages: Stages) -> None:
    stages.clear()


CORRUPTIONS: tuple[Corruption, ...] = (
    layer_moved,
    nodes_swapped,
    node_replaced,
    one_byte_over,
    stages_shuffled,
    node_unknown,
    layer_unknown,
    layer_doubled,
    layer_dropped,
    shared_layer_owned,
    server_used,
    stage_split,
    all_dropped,
)


def read(data: str | bytes) -> LayerAssignment:
    parsed, faults = parse(data)
    return problem_from_document(parsed, also=faults)


def problem_of(document: Document) -> LayerAssignment:
    return read(write(document))


def close(figures: Any) -> Any:
    """The same structure with every count met exactly and every other number within rounding."""
    if isinstance(figures, dict):
        return {key: close(value) for key, value in figures.items()}
    if isinstance(figures, list):
        return [close(value) for value in figures]
    if figures is None or isinstance(figures, str | int):
        return figures
    return pytest.approx(float(figures), rel=1e-9)


def assert_agreement(document: Document, plan: Document) -> Verdict:
    judged, expected = problem_of(document).check(Plan.from_document(plan)), evaluate(document, plan)
    assert judged.feasible == expected.feasible, (expected.rules, judged.violations)
    assert judged.metrics == close(expected.metrics)
    assert judged.objective == close(expected.objective)
    found, known = {violation.rule for violation in judged.violations}, {*expected.rules}
    if expected.metrics is None:
        assert found >= known - {"coverage"}
    else:
        assert found == known
    return expected


of_each_schedule = pytest.mark.parametrize(
    "draw", [pytest.param(random_instance, id="serial"), pytest.param(random_pipeline, id="pipeline")]
)


def cases_of(draw: Draw, seeds: range) -> list[tuple[random.Random, Document, Document]]:
    drawn = [(random.Random(f"plan {seed}"), draw(seed)) for seed in seeds]
    planned = [(rng, document, random_plan(rng, document)) for rng, document in drawn]
    return [(rng, document, plan) for rng, document, plan in planned if plan is not None]


@of_each_schedule
@pytest.mark.parametrize("seeds", chunks(250, commit=500, large=10_000), ids=str)
def test_the_problem_judges_random_plans_as_the_independent_evaluator_does(draw: Draw, seeds: range) -> None:
    for _, document, plan in cases_of(draw, seeds):
        assert_agreement(document, plan)


@of_each_schedule
@pytest.mark.parametrize("seeds", chunks(250, commit=500, large=10_000), ids=str)
def test_corrupted_plans_are_caught_where_the_independent_evaluator_catches_them(
    draw: Draw, seeds: range
) -> None:
    caught: Counter[bool] = Counter()
    for rng, document, plan in cases_of(draw, seeds):
        corrupted = copy.deepcopy(plan)
        rng.choice(CORRUPTIONS)(rng, document, corrupted["stages"])
        caught[assert_agreement(document, corrupted).feasible] += 1
    assert caught[False] > len(seeds) // 2


@of_each_schedule
@pytest.mark.parametrize("seeds", chunks(500, commit=2_000, large=100_000), ids=str)
def test_malformed_documents_are_refused_with_the_right_pointer(draw: Draw, seeds: range) -> None:
    misplaced = []
    for seed in seeds:
        broken = malformed(seed, draw(seed))
        with pytest.raises(InvalidInputError) as caught:
            read(broken.data)
        assert 1 <= len(caught.value.faults) <= 100
        assert all(line.isprintable() for line in caught.value.lines())
        if broken.pointer not in {fault.pointer for fault in caught.value.faults}:
            misplaced.append((seed, broken.kind, broken.pointer))
    assert len(misplaced) <= len(seeds) // 100, misplaced


def test_the_hash_of_a_random_document_forgets_notes() -> None:
    for seed in range(100):
        document = random_instance(seed)
        noted = copy.deepcopy(document) | {"x-note": {"a": [None]}}
        noted["network"]["nodes"][0]["x-place"] = "shelf"
        assert problem_of(noted).instance_sha256 == problem_of(document).instance_sha256
