"""Plans go to JSON and back, and are read strictly."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from independent.instances import random_instance, random_plan
from small_instances import plan, problem

from edgeplan.errors import InvalidInputError
from edgeplan.models.layer_assignment import Plan


def test_random_plans_survive_the_way_to_json_and_back() -> None:
    for seed in range(200):
        document = random_plan(random.Random(seed), random_instance(seed))
        if document is not None:
            read = Plan.from_document(document)
            assert read.to_document() == document
            assert Plan.from_document(json.loads(json.dumps(read.to_document()))) == read


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        (None, ""),
        ([], ""),
        ({}, "/stages"),
        ({"stages": {}}, "/stages"),
        ({"stages": [3]}, "/stages/0"),
        ({"stages": [{"node": "p"}]}, "/stages/0/layers"),
        ({"stages": [{"node": "", "layers": []}]}, "/stages/0/node"),
        ({"stages": [{"node": "p", "layers": "ab"}]}, "/stages/0/layers"),
        ({"stages": [{"node": "p", "layers": ["a", 3]}]}, "/stages/0/layers/1"),
        ({"stages": [], "steps": 1}, "/steps"),
    ],
)
def test_a_malformed_plan_is_refused_with_its_pointer(document: Any, pointer: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Plan.from_document(document)
    assert [fault.pointer for fault in caught.value.faults] == [pointer]


def test_a_plan_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        plan("p:a").stages = ()  # type: ignore[misc]


def test_judging_a_plan_changes_nothing() -> None:
    given, stages = problem(), plan("p:a", "q:b", "r:c")
    before = given.to_document(), stages.to_document()
    given.check(stages)
    assert (given.to_document(), stages.to_document()) == before
