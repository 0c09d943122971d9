"""One planted violation of every rule is found, with its pointer and figures."""

from __future__ import annotations

from typing import Any

import pytest
from small_instances import node, plan, problem

from edgeplan.errors import InvalidPlanError, UsageError
from edgeplan.models.layer_assignment import LayerAssignment, Plan

ONE_EACH = plan("p:a", "q:b", "r:c")
SERVED: dict[str, Any] = {"transport": "server", "server": "r"}


def powered() -> list[dict[str, Any]]:
    return [node(name, compute_power_w=2, price_per_s=3, samples=5) for name in "pqr"]


# (rule, pointer, need, have), the instance, the plan that breaks this rule alone
PLANTED: list[tuple[tuple[str, str, Any, Any], LayerAssignment, Plan]] = [
    (("stages", "/plan/stages/1/layers", 1, 0), problem(), plan("p:a", "q:", "r:bc")),
    (("unknown_node", "/plan/stages/1/node", None, "z"), problem(), plan("p:a", "z:b", "r:c")),
    (("shared_layer", "/plan/stages/0/layers/0", None, "a"), problem(shared_layers=["a"]), plan("p:abc")),
    (("coverage", "/plan/stages", "c", None), problem(), plan("p:a", "q:b")),
    (("coverage", "/plan/stages", 1, 2), problem(), plan("p:ab", "q:bc")),
    (("order", "/plan/stages", "b", "c"), problem(), plan("p:a", "q:cb")),
    (("order", "/plan/stages", "a", "b"), problem(), plan("p:b", "q:a", "r:c")),
    (("node_once", "/plan/stages/2/node", 2, 1), problem(), plan("p:a", "q:b", "p:c")),
    (("server", "/plan/stages/1/node", None, "r"), problem(**SERVED), plan("p:ab", "r:c")),
    (("node_order", "/plan/stages/1/node", "q", "p"), problem(node_order="given"), plan("q:a", "p:bc")),
    (("pin", "/pin/b", "r", "q"), problem(pin={"b": "r"}), ONE_EACH),
    (("forbid", "/forbid/1", None, "q"), problem(forbid=[["a", "q"], ["b", "q"]]), ONE_EACH),
    (("min_nodes", "/limits/min_nodes", 3, 2), problem(limits={"min_nodes": 3}), plan("p:a", "q:bc")),
    (("max_nodes", "/limits/max_nodes", 3, 2), problem(limits={"max_nodes": 2}), ONE_EACH),
    (
        ("max_layers_per_node", "/limits/max_layers_per_node", 2, 1),
        problem(limits={"max_layers_per_node": 1}),
        plan("p:a", "q:bc"),
    ),
    (
        ("min_samples", "/limits/min_samples", 11, 10),
        problem(nodes=powered(), limits={"min_samples": 11}),
        plan("p:a", "q:bc"),
    ),
    # 4 * 20 + 16 * 10 = 240 bytes
    (
        ("memory", "/network/nodes/1/memory_bytes", 240, 239),
        problem(nodes=[node("p"), node("q", memory_bytes=239), node("r")]),
        ONE_EACH,
    ),
    # ready at 6 s for 5 s, and 4 s are left of the only window
    (
        ("window", "/network/nodes/1/available_s", 5, 4),
        problem(nodes=[node("p"), node("q", available_s=[[0, 10]]), node("r")]),
        ONE_EACH,
    ),
    (("deadline_s", "/limits/deadline_s", 15, 14.5), problem(limits={"deadline_s": 14.5}), ONE_EACH),
    (
        ("budget_price", "/limits/budget_price", 45, 44),
        problem(nodes=powered(), limits={"budget_price": 44}),
        ONE_EACH,
    ),
    (
        ("budget_energy_j", "/limits/budget_energy_j", 30, 29),
        problem(nodes=powered(), limits={"budget_energy_j": 29}),
        ONE_EACH,
    ),
]


@pytest.mark.parametrize(("violation", "given", "stages"), PLANTED, ids=[row[0][0] for row in PLANTED])
def test_a_planted_violation_is_found_and_it_alone(
    violation: Any, given: LayerAssignment, stages: Plan
) -> None:
    (found,) = given.violations(stages)
    assert (found.rule, found.pointer, found.need, found.have) == violation
    assert found.message
    assert not given.check(stages).feasible


def test_a_plan_without_stages_is_found() -> None:
    found = problem().violations(Plan(stages=()))
    assert [item.rule for item in found] == ["stages", "coverage", "coverage", "coverage"]


def test_a_layer_that_the_model_lacks_is_found() -> None:
    (found,) = problem().violations(plan("p:abcz"))
    assert (found.rule, found.pointer, found.have) == ("unknown_layer", "/plan/stages/0/layers/3", "z")


def test_a_plan_that_keeps_every_rule_has_no_violation() -> None:
    tight = problem(
        nodes=[node(name, memory_bytes=240, compute_power_w=2, price_per_s=3, samples=5) for name in "pqr"],
        limits={
            "min_nodes": 3,
            "max_nodes": 3,
            "max_layers_per_node": 1,
            "min_samples": 15,
            "deadline_s": 15,
            "budget_price": 45,
            "budget_energy_j": 30,
        },
        node_order="given",
        pin={"a": "p"},
        forbid=[["a", "q"]],
    )
    assert tight.check(ONE_EACH).feasible


@pytest.mark.parametrize(("limit", "broken"), [(15 - 1e-8, False), (15 - 2e-8, True)])
def test_limits_in_floats_hold_within_their_tolerance(limit: float, broken: bool) -> None:
    assert bool(problem(limits={"deadline_s": limit}).violations(ONE_EACH)) is broken


def test_all_broken_rules_come_together() -> None:
    given = problem(
        nodes=[node("p", memory_bytes=1), node("q"), node("r")],
        pin={"a": "r"},
        limits={"min_nodes": 5, "deadline_s": 1},
    )
    rules = [found.rule for found in given.violations(ONE_EACH)]
    assert rules == ["pin", "min_nodes", "memory", "deadline_s"]


def test_metrics_stand_beside_violations_of_limits() -> None:
    verdict = problem(limits={"deadline_s": 1}).check(ONE_EACH)
    assert verdict.metrics is not None
    assert verdict.objective == verdict.metrics["time_s"] == 15


def test_metrics_are_null_where_the_plan_is_no_assignment() -> None:
    verdict = problem().check(plan("p:a"))
    assert (verdict.metrics, verdict.objective) == (None, None)
    with pytest.raises(InvalidPlanError, match="no stage owns layer b"):
        problem().metrics(plan("p:a"))


def test_the_verdict_is_plain_json() -> None:
    document = problem(limits={"deadline_s": 1}).check(ONE_EACH).to_document()
    assert [*document] == ["format", "problem", "feasible", "objective", "metrics", "violations"]
    assert [*document["violations"][0]] == ["rule", "pointer", "need", "have", "message"]


def test_figures_beyond_floating_point_are_refused_rather_than_printed_as_infinity() -> None:
    slow = problem(nodes=[node(name, flops_per_s=5e-324) for name in "pqr"])
    with pytest.raises(UsageError, match="beyond the range of floating-point numbers"):
        slow.check(ONE_EACH)
