"""Explanations: every conflict, every change that mends and every gain is what an independent solve says."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest
from independent.evaluator import Document, brute
from independent.instances import random_instance
from independent.pipeline_instances import random_pipeline
from random_problems import near, problem_of
from small_instances import document, node, plan, problem
from test_infeasible import has_plan, lifted, limit_pointers
from tier import cases

import edgeplan as ep
from edgeplan.models.explanation import Explanation, Outcome, WhatIf
from edgeplan.models.result import Status

GIB = 2**30
TIGHT = document(nodes=[node(name, memory_bytes=240) for name in "pqr"])


def explained(drawn: Document, **settings: Any) -> Explanation:
    return ep.explain(problem_of(drawn), solver="brute-force", **settings)


def changed(original: Document, one: WhatIf) -> Document:
    """Make the change that a what-if speaks of, from its kind and pointers alone."""
    result = copy.deepcopy(original)
    for pointer in one.pointers:
        *parents, last = [int(part) if part.isdigit() else part for part in pointer.split("/")[1:]]
        home: Any = result
        for part in parents:
            home = home[part]
        if one.kind == "memory":
            home[last] += GIB
        elif one.kind == "rate":
            home[last] += 1_000_000
        elif one.kind == "speed":
            _faster(result, home)
        elif one.kind == "node":
            _copied(result, home[last])
        elif last == "available_s":
            home[last] = None
        elif parents == ["limits"]:
            home[last] = _relaxed(str(last), home[last])
        else:
            del home[last]
    return result


def _relaxed(name: str, value: float) -> float:
    if name in ("max_nodes", "max_layers_per_node"):
        return value + 1
    if name == "min_nodes":
        return value - 1
    return math.floor(value * 0.9) if name == "min_samples" else value * 1.1


def _faster(instance: Document, home: Document) -> None:
    timings = instance["network"].get("timings", {})
    home["flops_per_s"] *= 1.1
    if home.get("type") in timings:
        own = copy.deepcopy(timings[home["type"]])
        for entry in own.values():
            entry |= {name: seconds / 1.1 for name, seconds in entry.items()}
        timings["faster"] = own
        home["type"] = "faster"


def _copied(instance: Document, original: Document) -> None:
    network, name = instance["network"], original["id"]
    network["nodes"].insert(network["nodes"].index(original) + 1, original | {"id": "copy"})
    for end in ("source", "target"):
        network["links"] = network.get("links", []) + [
            link | {end: "copy"} for link in network.get("links", []) if link[end] == name
        ]
    forbid = instance.get("forbid", [])
    instance["forbid"] = forbid + [[layer, "copy"] for layer, owner in forbid if owner == name]


@pytest.mark.parametrize("make", [random_instance, random_pipeline])
def test_every_gain_is_what_an_independent_solve_of_the_changed_instance_says(make: object) -> None:
    seen = 0
    for seed in range(cases(commit=20, large=400)):
        drawn = make(seed, max_layers=4, max_nodes=3)  # type: ignore[operator]
        best = brute(drawn)
        if best is None:
            continue
        found = explained(drawn)
        assert (found.status, found.objective) == (Status.OPTIMAL, near(float(best.objective)))
        for one in found.what_if:
            after = brute(changed(drawn, one))
            assert after is not None
            assert one.outcome is Outcome.SETTLED, one
            assert one.objective == near(float(after.objective), rel=1e-6), (seed, one)
            gain = float(best.objective - after.objective)
            assert one.gain == pytest.approx(gain, rel=1e-4, abs=2e-6 * float(best.objective)), (seed, one)
            seen += 1
    assert seen > 50


def test_gains_come_in_order_and_the_best_is_the_headline() -> None:
    found = explained(TIGHT | {"limits": {"min_nodes": 2}})
    gains = [one.gain for one in found.what_if]
    assert gains == sorted(gains, reverse=True)
    assert found.headline.startswith(found.what_if[0].change)
    assert found.what_if[0].plan is not None


def test_all_kinds_of_changes_are_tried_on_used_nodes_and_links() -> None:
    nodes = [node(name, memory_bytes=240, uplink_bit_per_s=8.0 * k) for k, name in enumerate("pqr", 1)]
    found = explained(TIGHT | {"network": {"nodes": nodes}, "limits": {"max_nodes": 3}})
    kinds = [one.kind for one in found.what_if]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "node": 1,
        "limit": 1,
        "memory": 3,
        "rate": 3,
        "speed": 3,
    }


def test_one_unused_node_is_offered_memory_and_said_to_be_unused() -> None:
    nodes = [node("p"), node("q", flops_per_s=50, memory_bytes=10), node("r", memory_bytes=10)]
    found = explained(document(nodes=nodes))
    best = found.what_if[0]
    assert (best.change, best.gain) == ("1 GiB more memory on q, unused so far", pytest.approx(8 - 8 / 50))


def test_what_binds_is_told_with_its_slack() -> None:
    limits = {"min_nodes": 3, "max_nodes": 5, "deadline_s": 20.0, "max_layers_per_node": 1}
    found = explained(TIGHT | {"limits": limits})
    uses = {use.pointer.rpartition("/")[2]: (use.slack, use.binds) for use in found.limits}
    assert uses == {
        "min_nodes": (0, True),
        "max_layers_per_node": (0, True),
        "max_nodes": (2, False),
        "deadline_s": (5, False),
    }
    assert [use.binds for use in found.limits] == [True, True, False, False]


def test_slack_of_nodes_is_in_bytes_per_cent_and_seconds_of_the_window() -> None:
    nodes = [
        node("p", memory_bytes=360),
        node("q", memory_bytes=480, flops_per_s=2, available_s=[[0.0, 1.0], [2.0, 12.0]]),
    ]
    found = ep.explain(problem(nodes=nodes), plan("p:a", "q:bc"), solver="brute-force")
    p, q = found.nodes
    assert (p.memory_free_bytes, p.memory_free_share, p.window_slack_s) == (120, pytest.approx(1 / 3), None)
    assert p.holds_another_layer is True
    # p takes 3 + 2 + 1 s, q (3 + 1 + 2) / 2 s within its second window
    assert (q.memory_free_bytes, q.window_slack_s) == (120, pytest.approx(12 - 6 - 3))
    assert found.most_loaded_node == "p"


def test_a_node_without_room_for_a_neighbours_layer_is_said_to_have_none() -> None:
    found = explained(TIGHT)
    assert [use.holds_another_layer for use in found.nodes] == [False, False, False]
    assert explained(document(nodes="p")).nodes[0].holds_another_layer is None


def test_links_name_the_side_that_holds_them_back() -> None:
    nodes = [
        node("p", memory_bytes=240, uplink_bit_per_s=80.0, downlink_bit_per_s=40.0),
        node("q", memory_bytes=240, downlink_bit_per_s=80.0),
        node("r", memory_bytes=240, uplink_bit_per_s=20.0),
    ]
    network = {"nodes": nodes, "links": [{"source": "q", "target": "r", "bit_per_s": 10.0}]}
    instance = problem_of(TIGHT | {"network": network})
    found = ep.explain(instance, plan("p:a", "q:b", "r:c"), solver="brute-force")
    uses = {(use.source, use.target): use for use in found.links}
    assert {ends: (use.limited_by, use.pointers) for ends, use in uses.items()} == {
        ("r", "p"): ("uplink", ("/network/nodes/2/uplink_bit_per_s",)),
        ("p", "q"): ("both", ("/network/nodes/0/uplink_bit_per_s", "/network/nodes/1/downlink_bit_per_s")),
        ("q", "r"): ("link", ("/network/links/0/bit_per_s",)),
    }
    assert uses["q", "r"].seconds == 8 * 80 / 10
    assert found.most_loaded_link == ("q", "r")


def test_traffic_through_a_server_and_between_pipeline_stages_adds_up_to_the_bytes_moved() -> None:
    through_server = problem(transport="server", server="r", limits={"min_nodes": 2})
    pipeline = problem(schedule="pipeline", limits={"min_nodes": 2})
    for instance in (through_server, pipeline):
        found = ep.explain(instance, solver="brute-force")
        shown = instance.plan_from_document(found.plan)
        moved = sum(use.num_bytes for use in found.links)
        assert moved == instance.metrics(shown)["bytes_moved"]


def test_a_plan_that_is_not_the_best_is_compared_to_the_best() -> None:
    slow = plan("p:abc")
    instance = problem(nodes=[node("p"), node("q", flops_per_s=2)])
    found = ep.explain(instance, slow, solver="brute-force")
    assert (found.plan_objective, found.objective) == (8, 4)
    assert found.plan == slow.to_document()
    assert all(one.gain is None or one.gain <= 4 for one in found.what_if)


def test_a_plan_that_breaks_rules_gets_these_and_nothing_else() -> None:
    found = ep.explain(problem_of(TIGHT), plan("p:ab", "x:c"), solver="brute-force")
    assert (found.status, found.what_if, found.nodes) == (None, (), ())
    assert [violation["rule"] for violation in found.violations] == ["unknown_node"]
    assert found.solves == 0


def test_a_limit_of_time_leaves_changes_untried_and_says_so() -> None:
    found = explained(TIGHT, time_limit_s=0.2)
    assert found.objective == 15
    assert {one.outcome for one in found.what_if} == {Outcome.NOT_TRIED}


def test_an_unproven_gain_is_not_called_proven() -> None:
    instance = problem_of(TIGHT)
    found = ep.explain(instance, solver="heuristic")
    assert found.status is Status.FEASIBLE
    assert {one.outcome for one in found.what_if} <= {Outcome.OPEN, Outcome.NOT_TRIED}
    assert all(one.gain_at_least in (None, 0.0) for one in found.what_if)


def test_the_explanation_goes_to_json_and_back() -> None:
    for drawn in (TIGHT, TIGHT | {"limits": {"max_nodes": 2}}):
        found = explained(drawn)
        written = json.loads(json.dumps(found.to_document(), allow_nan=False))
        assert Explanation.model_validate(written) == found


def test_the_instance_is_left_as_it_is() -> None:
    instance = problem_of(TIGHT)
    before = copy.deepcopy(instance.document)
    ep.explain(instance, solver="brute-force")
    assert instance.document == before


def infeasible(make: Any, count: int) -> list[Document]:
    drawn = (make(seed, max_layers=3, max_nodes=3) for seed in range(1000))
    found = (one for one in drawn if brute(one) is None and limit_pointers(one))
    return [next(found) for _ in range(count)]


@pytest.mark.parametrize("make", [random_instance, random_pipeline])
def test_conflicts_and_changes_of_random_infeasible_instances_are_verified_and_true(make: object) -> None:
    for drawn in infeasible(make, cases(commit=2, large=100)):
        found = ep.explain(problem_of(drawn), time_limit_s=60)
        blamed = [pointer for member in found.conflict for pointer in member.pointers]
        assert (found.status, found.conflict_verified) == (Status.INFEASIBLE, True)
        others = [pointer for pointer in limit_pointers(drawn) if pointer not in blamed]
        assert not has_plan(lifted(drawn, others))
        assert all(has_plan(lifted(drawn, [*others, pointer])) for pointer in blamed)
        for one in found.relaxations:
            (pointer,) = one.pointers
            mended = lifted(drawn, [pointer]) if one.change_to is None else None
            assert has_plan(mended or lifted(drawn, [], (pointer, one.change_to)))


def test_the_smallest_single_change_is_the_headline() -> None:
    # two nodes: (3 + 2 + 2) / 2 + 3 + 1 s, a quarter more than allowed; or one node, half of two
    nodes = [node("p", flops_per_s=2), node("q", flops_per_s=1)]
    found = ep.explain(problem(nodes=nodes, limits={"deadline_s": 6.0, "min_nodes": 2}))
    assert found.conflict_verified
    assert {one.pointers[0]: (one.change_to, one.smallest) for one in found.relaxations} == {
        "/limits/deadline_s": (pytest.approx(7.5), True),
        "/limits/min_nodes": (1, True),
    }
    assert [one.share for one in found.relaxations] == [pytest.approx(0.25), pytest.approx(0.5)]
    assert "with 7.5 s there is a plan" in found.headline


def test_groups_of_limits_are_blamed_where_single_ones_are_too_many() -> None:
    # brute force names no conflict
    found = explained(TIGHT | {"limits": {"max_nodes": 2}})
    assert found.status is Status.INFEASIBLE
    assert {member.message for member in found.conflict} == {"at most 2 nodes", "memory of the nodes (3)"}
    assert found.conflict_verified
    assert [(one.pointers, one.change_to) for one in found.relaxations] == [(("/limits/max_nodes",), 3)]


def test_without_an_answer_a_change_that_gives_a_plan_is_still_told() -> None:
    # one fast node that holds one layer: no chain bound can know that it serves but once
    nodes = [
        node(name, memory_bytes=240, flops_per_s=speed) for name, speed in zip("pqr", (10, 1, 1), strict=True)
    ]
    instance = problem(nodes=nodes, limits={"deadline_s": 9.0})
    found = ep.explain(instance, solver="heuristic", time_limit_s=5)
    assert (found.status, found.conflict) == (Status.NO_PLAN, ())
    (one,) = found.relaxations
    assert (one.pointers, one.change_to) == (("/limits/deadline_s",), pytest.approx(9.6))
    assert not one.smallest
