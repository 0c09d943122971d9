"""Repair: a plan of an old instance becomes one of the new instance, or nothing."""

from __future__ import annotations

import copy
import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from independent.evaluator import Document, brute, evaluate
from independent.instances import random_instance
from independent.pipeline_instances import random_pipeline
from random_problems import near, problem_of
from small_instances import document, node, plan, problem

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.solvers.layer_assignment.heuristic.neighbours import neighbours
from edgeplan.solvers.layer_assignment.heuristic.repair import repair
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.registry import solvers_of

SOLVERS = solvers_of("layer_assignment")

TIGHT = document(nodes=[node(name, memory_bytes=360) for name in "pqrs"])  # two layers trained, one frozen
makers = st.sampled_from([random_instance, random_pipeline])
seeds = st.integers(0, 10**9)


def tight(nodes: str, **members: object) -> LayerAssignment:
    return problem(nodes=[node(name, memory_bytes=360) for name in nodes], **members)


def test_a_plan_that_breaks_nothing_is_returned_as_it_is() -> None:
    whole = plan("p:ab", "q:c")
    assert repair(tight("pqr"), whole) is whole


@pytest.mark.parametrize("old", [plan("x:ab", "q:c"), plan("p:a", "x:b", "q:c"), plan("x:a", "y:bc")])
def test_layers_of_nodes_that_left_find_a_place(old: Plan) -> None:
    instance = tight("pqr")
    found = repair(instance, old)
    assert found is not None
    assert instance.check(found).feasible


def test_a_node_that_is_left_keeps_its_layers_where_it_can() -> None:
    found = repair(tight("qr", limits={"min_nodes": 2}), plan("x:a", "q:bc"))
    assert found is not None
    assert [stage.node for stage in found.stages if "c" in stage.layers] == ["q"]


def test_too_little_memory_is_mended_by_moving_boundaries() -> None:
    instance = tight("pq")
    found = repair(instance, plan("p:abc"))
    assert found is not None
    assert len(found.stages) == 2


@pytest.mark.parametrize(
    "members",
    [
        {"limits": {"min_nodes": 3}},
        {"limits": {"max_nodes": 2}},
        {"limits": {"max_layers_per_node": 1}},
        {"pin": {"b": "r"}},
        {"forbid": [["a", "p"], ["c", "q"]]},
        {"node_order": "given"},
    ],
)
def test_new_limits_are_kept(members: Document) -> None:
    instance = tight("pqr", **members)
    for old in (plan("q:a", "p:bc"), plan("p:a", "q:b", "r:c"), plan("p:abc")):
        found = repair(instance, old)
        assert found is not None
        assert instance.check(found).feasible


def test_what_cannot_be_repaired_is_nothing() -> None:
    assert repair(tight("pq", limits={"max_nodes": 1}), plan("p:ab", "q:c")) is None


def test_layers_and_nodes_that_the_instance_never_had_are_no_error() -> None:
    found = repair(tight("pq"), plan("p:xyz", "v:abw"))
    assert found is not None
    assert [name for stage in found.stages for name in stage.layers] == ["a", "b", "c"]


def test_the_server_serves_no_stage_after_repair() -> None:
    instance = tight("ps", transport="server", server="s", limits={"max_layers_per_node": 3})
    roomy = instance.replace(network={"nodes": [node("p"), node("s")]})
    found = repair(roomy, plan("s:abc"))
    assert found is not None
    assert [stage.node for stage in found.stages] == ["p"]


def test_no_time_is_no_endless_search() -> None:
    instance = tight("pqr")
    found = repair(instance, plan("x:ab", "q:c"), until=time.monotonic())
    assert found is None or instance.check(found).feasible


@given(st.sets(st.integers(1, 5)), st.integers(0, 2))
def test_every_neighbour_assigns_every_layer_to_different_nodes(cuts: set[int], num_others: int) -> None:
    bounds = [0, *sorted(cuts), 6]
    start = tuple((a, b, f"n{k}") for k, (a, b) in enumerate(pairwise(bounds)))
    others = [f"o{k}" for k in range(num_others)]
    found = list(neighbours(start, others))
    assert start not in found
    for one in found:
        assert [bound for a, b, _ in one for bound in range(a, b)] == list(range(6))
        assert all(a < b for a, b, _ in one)
        assert len({node for _, _, node in one}) == len(one)


def without_a_node(original: Document, rng: random.Random) -> Document:
    """Take one node out, and every member that names it."""
    left = copy.deepcopy(original)
    network = left["network"]
    names = [node["id"] for node in network["nodes"] if node["id"] != left.get("server")]
    gone = rng.choice(names)
    network["nodes"] = [node for node in network["nodes"] if node["id"] != gone]
    network["links"] = [link for link in network.get("links", []) if gone not in link.values()]
    left["pin"] = {layer: owner for layer, owner in left.get("pin", {}).items() if owner != gone}
    left["forbid"] = [pair for pair in left.get("forbid", []) if pair[1] != gone]
    return left


@given(makers, seeds)
def test_a_repaired_plan_keeps_all_rules_by_the_independent_evaluator(make: object, seed: int) -> None:
    original = make(seed, max_layers=4, max_nodes=4)  # type: ignore[operator]
    best = brute(original)
    if best is None or len(original["network"]["nodes"]) < 3:
        return
    changed = without_a_node(original, random.Random(seed))
    instance = problem_of(changed)
    found = repair(instance, Plan.from_document(best.plan))
    assert found is None or not evaluate(changed, found.to_document()).rules


def test_nearly_every_random_instance_that_can_be_repaired_is() -> None:
    possible = repaired = 0
    for seed in range(120):
        original = random_instance(seed)
        best = brute(original)
        if best is None or len(original["network"]["nodes"]) < 3:
            continue
        changed = without_a_node(original, random.Random(seed))
        if brute(changed) is not None:
            possible += 1
            repaired += repair(problem_of(changed), Plan.from_document(best.plan)) is not None
    assert possible > 20
    assert repaired >= 0.95 * possible


@given(makers, seeds, st.sampled_from(["cp-sat", "heuristic", "brute-force"]))
def test_a_result_is_never_worse_than_the_repaired_start(make: object, seed: int, solver: str) -> None:
    original = make(seed, max_layers=3, max_nodes=4)  # type: ignore[operator]
    best = brute(original)
    if best is None or len(original["network"]["nodes"]) < 3:
        return
    instance, old = problem_of(without_a_node(original, random.Random(seed))), Plan.from_document(best.plan)
    repaired = repair(instance, old)
    result = SOLVERS[solver].solve(instance, SolveLimits(time_limit_s=10, warm_start=old))
    said = str(result.solver.options["warm_start"]).partition(":")[0]
    if repaired is None:
        assert said == "rejected"
        return
    assert said == ("accepted" if repaired == old else "repaired")
    objective = instance.objective(repaired)
    assert result.objective is not None
    assert objective is not None
    assert result.objective <= objective or result.objective == near(objective)
