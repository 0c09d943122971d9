"""Changed instances are what the changed document reads as, and the old one stays as it is."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from independent.instances import random_instance
from random_problems import problem_of
from small_instances import document, node

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.solvers.layer_assignment.explanation.what_if import changed

LINKED = document(
    nodes=[node("p", samples=3), node("q", type="fast"), node("p-copy")],
    forbid=[["a", "p"]],
    pin={"b": "p", "c": "q"},
)
LINKED["network"] |= {
    "links": [
        {"source": "p", "target": "q", "bit_per_s": 5.0},
        {"source": "q", "target": "p", "bit_per_s": 7.0},
    ],
    "timings": {"fast": {name: {"forward_s": 1.0, "backward_s": 2.0} for name in "abc"}},
}


@pytest.fixture
def instance() -> LayerAssignment:
    return problem_of(LINKED)


def assert_read_anew(found: LayerAssignment, expected: dict[str, Any]) -> None:
    """The changed instance is the one that its document states."""
    anew = problem_of(expected)
    assert found.document == expected
    assert found.instance == anew.instance
    assert found.instance_sha256 == anew.instance_sha256
    assert found.instance.network.index_of == anew.instance.network.index_of


def test_a_node_is_changed_as_its_document_is(instance: LayerAssignment) -> None:
    _ = instance.instance.network.index_of, instance.instance.network.link_of  # what is cached stays behind
    expected = copy.deepcopy(LINKED)
    expected["network"]["nodes"][1]["memory_bytes"] = 7
    assert_read_anew(changed.with_nodes(instance, {1: {"memory_bytes": 7}}), expected)
    assert instance.document == LINKED


def test_a_link_is_changed_as_its_document_is(instance: LayerAssignment) -> None:
    assert instance.instance.network.latency_and_rate("q", "p") == (0.0, 7.0)
    expected = copy.deepcopy(LINKED)
    expected["network"]["links"][1]["bit_per_s"] = 9.0
    found = changed.with_link_rate(instance, 1, 9.0)
    assert_read_anew(found, expected)
    assert found.instance.network.latency_and_rate("q", "p") == (0.0, 9.0)


@pytest.mark.parametrize(("name", "value"), [("max_nodes", 3), ("deadline_s", 2.5), ("min_samples", 1)])
def test_a_limit_is_changed_as_its_document_is(instance: LayerAssignment, name: str, value: float) -> None:
    assert_read_anew(changed.with_limit(instance, name, value), LINKED | {"limits": {name: value}})


def test_a_measured_node_is_faster_by_a_type_of_its_own(instance: LayerAssignment) -> None:
    found = changed.with_speed(instance, 1, 2.0)
    q = found.instance.network.nodes[1]
    before = instance.figures.compute_s(instance.instance.network.nodes[1], (0,))
    assert found.figures.compute_s(q, (0,)) == before / 2


def test_a_copy_has_the_links_and_what_is_forbidden_and_no_pin(instance: LayerAssignment) -> None:
    found, name = changed.with_copy(instance, 0)
    network = found.instance.network
    assert name == "p-copy'"
    assert [one.id for one in network.nodes] == ["p", name, "q", "p-copy"]
    assert network.nodes[1].model_dump(exclude={"id"}) == network.nodes[0].model_dump(exclude={"id"})
    assert network.latency_and_rate(name, "q") == (0.0, 5.0)
    assert network.latency_and_rate("q", name) == (0.0, 7.0)
    assert found.instance.forbid == (("a", "p"), ("a", name))
    assert found.instance.pin == instance.instance.pin


def test_pins_and_forbidden_pairs_are_dropped_one_at_a_time(instance: LayerAssignment) -> None:
    assert changed.without_pin(instance, "b").instance.pin == {"c": "q"}
    assert changed.without_forbid(instance, 0).instance.forbid == ()


def test_random_instances_are_changed_as_their_documents_are() -> None:
    for seed in range(30):
        drawn = random_instance(seed)
        expected = copy.deepcopy(drawn)
        expected["network"]["nodes"][-1]["memory_bytes"] += 1
        more = {"memory_bytes": expected["network"]["nodes"][-1]["memory_bytes"]}
        found = changed.with_nodes(problem_of(drawn), {len(drawn["network"]["nodes"]) - 1: more})
        assert_read_anew(found, expected)
