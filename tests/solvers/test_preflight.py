"""Preflight: what arithmetic alone refuses, with the figures that a reader needs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from independent.evaluator import brute
from independent.instances import random_instance
from independent.pipeline_instances import random_pipeline
from random_problems import problem_of
from small_instances import document, layer, node, problem

from edgeplan.models.explanation import Condition
from edgeplan.solvers.layer_assignment.explanation.preflight.preflight import preflight

PIPELINE = {"schedule": "pipeline"}
makers = st.sampled_from([random_instance, random_pipeline])


def failing(*args: Any, **members: Any) -> list[Condition]:
    return [found for found in preflight(problem(*args, **members)) if not found.holds]


@given(makers, st.integers(0, 10**9))
def test_a_condition_that_fails_proves_that_there_is_no_plan(make: object, seed: int) -> None:
    drawn = make(seed, max_layers=5, max_nodes=4)  # type: ignore[operator]
    if any(not found.holds for found in preflight(problem_of(drawn))):
        assert brute(drawn) is None


def test_arithmetic_alone_catches_most_infeasible_instances() -> None:
    drawn = [make(seed) for make in (random_instance, random_pipeline) for seed in range(60)]
    infeasible = [one for one in drawn if brute(one) is None]
    caught = [one for one in infeasible if any(not found.holds for found in preflight(problem_of(one)))]
    assert len(infeasible) > 30
    assert len(caught) > len(infeasible) / 2


def test_all_conditions_of_a_good_instance_hold_and_carry_their_figures() -> None:
    found = preflight(problem(limits={"min_nodes": 2, "deadline_s": 100.0, "max_layers_per_node": 2}))
    assert all(condition.holds for condition in found)
    rules = {condition.rule: (condition.need, condition.have) for condition in found}
    assert rules["layer_memory"] == (240, 100_000)
    assert rules["min_nodes"] == (2, 3)
    assert rules["deadline_s"] == (2 * 4, 100.0)


def test_a_layer_that_fits_no_node_is_named_with_the_largest_node() -> None:
    # a layer of 1,000 parameters trained, two of 10 frozen: 16,000 + 80 bytes
    big = [layer("a"), layer("b", parameters=1000), layer("c")]
    (found, *_) = failing(big, [node("p", memory_bytes=10_000), node("q", memory_bytes=16_000)])
    assert (found.rule, found.need, found.have) == ("layer_memory", 16 * 1000 + 4 * 20, 16_000)
    assert "layer b alone needs" in found.message
    assert "q," in found.message
    assert found.pointers == ("/network/nodes/1/memory_bytes",)


def test_a_pinned_layer_is_held_against_its_own_node() -> None:
    nodes = [node("p", memory_bytes=200), node("q")]
    (found,) = failing(nodes=nodes, pin={"a": "p"})
    assert found.pointers == ("/network/nodes/0/memory_bytes", "/pin/a")


def test_layers_pinned_to_one_node_need_everything_between_them() -> None:
    nodes = [node("p", memory_bytes=400), node("q")]
    (found,) = failing(nodes=nodes, pin={"a": "p", "c": "p"})
    assert (found.rule, found.need, found.have) == ("pinned_memory", 480, 400)


def test_a_forbidden_node_is_not_the_largest_that_may_own_a_layer() -> None:
    nodes = [node("p"), node("q", memory_bytes=200)]
    (found, *_) = failing(nodes=nodes, forbid=[["b", "p"]])
    assert "layer b alone" in found.message
    assert failing(nodes=nodes, forbid=[["b", "p"], ["b", "q"]])[0].message.endswith(
        "has no node that may own it"
    )


def test_all_memory_together_can_be_too_little_where_each_layer_fits() -> None:
    # each node: 160 bytes for weights, then 120 a layer and 280 are enough for one of four layers
    nodes = [node(name, memory_bytes=280) for name in "pqr"]
    rules = [found.rule for found in failing("abcd", nodes)]
    assert rules == ["total_memory"]


def test_the_same_holds_of_pipelines() -> None:
    nodes = [node(name, memory_bytes=160) for name in "pqr"]  # 16 bytes for each of ten parameters
    assert failing("abc", nodes, **PIPELINE) == []
    assert [found.rule for found in failing("abcd", nodes, **PIPELINE)] == ["total_memory"]
    assert [found.rule for found in failing("abc", [node("p", memory_bytes=159)], **PIPELINE)] == [
        "layer_memory",
        "layer_memory",
        "layer_memory",
        "total_memory",
    ]


@pytest.mark.parametrize(
    ("members", "rule"),
    [
        ({"limits": {"min_nodes": 4}}, "min_nodes"),
        ({"limits": {"min_nodes": 3, "max_nodes": 2}}, "max_nodes"),
        ({"limits": {"max_nodes": 2, "max_layers_per_node": 1}}, "max_nodes"),
        ({"limits": {"min_samples": 1}}, "min_samples"),
        ({"limits": {"deadline_s": 3.0}}, "deadline_s"),
        ({"pin": {"a": "p", "b": "q", "c": "p"}}, "pin"),
        ({"pin": {"a": "q", "c": "p"}, "node_order": "given"}, "node_order"),
        ({"pin": {"a": "q", "c": "p"}, "limits": {"max_nodes": 1}}, "max_nodes"),
    ],
)
def test_limits_that_cannot_be_kept_are_told_by_name(members: dict[str, Any], rule: str) -> None:
    assert [found.rule for found in failing(**members)] == [rule]


def test_too_few_nodes_for_the_layers_each_may_own() -> None:
    assert [found.rule for found in failing("abc", "pq", limits={"max_layers_per_node": 1})] == [
        "max_layers_per_node"
    ]


def test_a_node_that_is_never_there_does_not_count_for_a_round_but_for_a_pipeline() -> None:
    absent = [node("p", available_s=[]), node("q", memory_bytes=10)]
    assert failing(nodes=absent)
    assert failing(nodes=absent, **PIPELINE) == []


def test_budgets_know_the_cheapest_node() -> None:
    nodes = [node("p", compute_power_w=5.0), node("q", compute_power_w=2.0, flops_per_s=1)]
    (found,) = failing(nodes=nodes, limits={"budget_energy_j": 7.9})
    assert (found.rule, found.need) == ("budget_energy_j", pytest.approx(2.0 * 4))


def test_measured_times_take_the_place_of_flops() -> None:
    timings = {"fast": {name: {"forward_s": 0.1, "backward_s": 0.2} for name in "abc"}}
    network = {"nodes": [node("p", type="fast"), node("q")], "timings": timings}
    limits = {"deadline_s": 0.3}
    instance = problem_of(document() | {"network": network, "limits": limits})
    (found,) = [one for one in preflight(instance) if one.rule == "deadline_s"]
    assert found.need == pytest.approx(0.3 + 0.2)
    assert not found.holds
