"""Replan: never worse than the old plan repaired, and honest about what moves."""

from __future__ import annotations

import json
import random

import pytest
from independent.evaluator import brute
from independent.instances import random_instance
from independent.pipeline_instances import random_pipeline
from random_problems import near, problem_of
from small_instances import node, plan, problem
from test_repair import without_a_node

import edgeplan as ep
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.layer_assignment.migration import migration
from edgeplan.models.result import Result, Status
from edgeplan.solvers.layer_assignment.heuristic.repair import repair


def tight(nodes: str, **members: object) -> LayerAssignment:
    return problem(nodes=[node(name, memory_bytes=360) for name in nodes], **members)


def test_a_plan_that_still_holds_is_kept() -> None:
    result = ep.replan(tight("pq"), plan("p:ab", "q:c"))
    assert result.replanned is not None
    assert result.replanned.repair.startswith("kept")
    assert result.replanned.repaired_objective == tight("pq").objective(plan("p:ab", "q:c"))


def test_the_node_that_left_and_the_bytes_to_move_are_named() -> None:
    result = ep.replan(tight("pr"), plan("p:ab", "q:c"))
    replanned = result.replanned
    assert replanned is not None
    assert replanned.repair.startswith("repaired: the instance has no node q")
    assert replanned.migration is not None
    assert replanned.migration.left == ("q",)
    assert replanned.migration == migration(tight("pr"), plan("p:ab", "q:c"), Plan.from_document(result.plan))


def test_a_faster_node_that_joined_is_used() -> None:
    faster = problem(nodes=[node("p"), node("q", flops_per_s=100)])
    result = ep.replan(faster, plan("p:abc"))
    assert result.replanned is not None
    assert result.replanned.migration is not None
    assert result.replanned.migration.joined == ("q",)
    assert result.replanned.migration.released == ("p",)
    assert result.objective is not None
    assert result.replanned.repaired_objective is not None
    assert result.objective < result.replanned.repaired_objective


def test_without_a_plan_nothing_moves_and_the_old_plan_is_said_to_be_lost() -> None:
    result = ep.replan(tight("p"), plan("p:ab", "q:c"))
    assert (result.status, result.plan) == (Status.INFEASIBLE, None)
    assert result.replanned is not None
    assert result.replanned.repair.startswith("not repaired: the instance has no node q")
    assert result.replanned.migration is None


def test_the_result_goes_to_json_and_back() -> None:
    result = ep.replan(tight("pr"), plan("p:ab", "q:c"))
    assert Result.model_validate(json.loads(json.dumps(result.to_document()))) == result


def test_other_results_say_nothing_of_an_old_plan() -> None:
    assert "replanned" not in ep.solve(tight("pq")).to_document()


@pytest.mark.parametrize("make", [random_instance, random_pipeline])
def test_replanning_is_never_worse_than_repairing(make: object) -> None:
    seen = 0
    for seed in range(30):
        original = make(seed, max_layers=4, max_nodes=4)  # type: ignore[operator]
        best = brute(original)
        if best is None or len(original["network"]["nodes"]) < 3:
            continue
        instance = problem_of(without_a_node(original, random.Random(seed)))
        repaired = repair(instance, Plan.from_document(best.plan))
        result = ep.replan(instance, Plan.from_document(best.plan), time_limit_s=20)
        assert result.replanned is not None
        if repaired is None:
            continue
        seen += 1
        assert result.objective is not None
        assert result.replanned.repaired_objective == near(instance.objective(repaired))
        assert result.objective <= result.replanned.repaired_objective * (1 + 1e-9)
    assert seen > 3
