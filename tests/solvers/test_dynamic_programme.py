"""The dynamic programme: what it refuses, what counts as one type, and that labels keep the optimum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_instances import document, layer, node, problem

from edgeplan.errors import UsageError
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Status, Stop
from edgeplan.solvers.layer_assignment import dynamic_programme
from edgeplan.solvers.layer_assignment.circulation.cp_sat import CpSat
from edgeplan.solvers.layer_assignment.dynamic_programme import DynamicProgramme, states_of
from edgeplan.solvers.layer_assignment.label_setting import pruning
from edgeplan.solvers.layer_assignment.label_setting.labels import undominated
from edgeplan.solvers.layer_assignment.label_setting.node_types import NodeTypes
from edgeplan.solvers.limits import SolveLimits

ALONE = DynamicProgramme(polish=False)
PIPELINE: dict[str, Any] = {"schedule": "pipeline"}


def types_of(nodes: list[dict[str, Any]], **members: Any) -> list[tuple[int, ...]]:
    found = NodeTypes.of(problem(nodes=nodes, **members), at_most=100)
    assert found is not None
    return [*found.members]


def test_nodes_of_equal_figures_are_one_type_whatever_they_are_called() -> None:
    nodes = [node("p"), node("q", memory_bytes=7), node("r"), node("s", type="pi")]
    assert types_of(nodes) == [(0, 2, 3), (1,)]


@pytest.mark.parametrize(
    "members",
    [
        {"node_order": "given"},
        {"pin": {"a": "p"}},
        {"forbid": [["a", "p"]]},
        {"network": {"nodes": [node("p"), node("q")], "links": [{"source": "p", "target": "q"}]}},
    ],
)
def test_nodes_that_a_rule_tells_apart_are_two_types(members: dict[str, Any]) -> None:
    assert types_of([node("p"), node("q")], **members) == [(0,), (1,)]


def test_the_server_is_of_no_type() -> None:
    assert types_of([node("p"), node("s")], transport="server", server="s") == [(0,)]


@pytest.mark.parametrize("schedule", [{}, PIPELINE, {"transport": "server", "server": "s"}])
def test_ten_thousand_equal_nodes_are_as_easy_as_few(schedule: dict[str, Any]) -> None:
    network = {"memory_bytes": 800, "uplink_bit_per_s": 640}
    optima = []
    for count in (8, 10_000):
        nodes = [*(node(f"n{k}", **network) for k in range(count)), node("s")]
        result = ALONE.solve(problem("abcdef", nodes, **schedule), SolveLimits())
        assert (result.status, result.stop) == (Status.OPTIMAL, Stop.PROOF)
        optima.append(result.objective)
    assert optima[0] == optima[1]


def test_a_type_is_used_no_more_often_than_it_has_nodes() -> None:
    nodes = [node("p", memory_bytes=280), node("q", memory_bytes=280), node("slow", flops_per_s=0.01)]
    result = ALONE.solve(problem("abcd", nodes), SolveLimits())
    assert result.plan is not None
    assert sorted(stage["node"] for stage in result.plan["stages"]) == ["p", "q", "slow"]


def test_nodes_in_given_order_need_no_count_of_uses() -> None:
    nodes = [node(f"n{k}", flops_per_s=k + 1) for k in range(30)]
    free, given_order = (states_of(problem("abcdef", nodes, node_order=order)) for order in ("free", "given"))
    assert free is not None
    assert given_order is not None
    assert given_order.number() < 10_000 < free.number()


def test_too_many_types_are_refused() -> None:
    nodes = [node(f"n{k}", flops_per_s=k + 1) for k in range(dynamic_programme.MAX_TYPES + 1)]
    with pytest.raises(UsageError, match="nodes of more than 2000 types"):
        ALONE.solve(problem(nodes=nodes), SolveLimits())


def test_more_labels_than_memory_should_hold_leave_the_plan_and_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pruning, "MAX_LABELS", 2)
    nodes = [node(f"n{k}", flops_per_s=k + 1, memory_bytes=500, uplink_bit_per_s=640) for k in range(5)]
    result = DynamicProgramme().solve(problem("abcdef", nodes), SolveLimits())
    assert (result.status, result.stop) == (Status.FEASIBLE, Stop.WORK_LIMIT)
    assert "more labels than memory" in str(result.detail)
    assert result.bound is not None
    assert result.objective is not None
    assert result.bound < result.objective


def test_a_gap_that_is_asked_for_ends_the_search() -> None:
    nodes = [node(f"n{k}", flops_per_s=k + 1, memory_bytes=500, uplink_bit_per_s=640) for k in range(5)]
    result = ALONE.solve(problem("abcdef", nodes), SolveLimits(gap=0.5))
    assert result.gap is not None
    assert result.gap <= 0.5


def test_a_stage_that_fits_only_near_the_end_is_put_there() -> None:
    # 1f1b: a stage with one more behind it holds two micro-batches, 2 * 100 bytes and its weights
    layers = [layer(name, saved_bytes=100) for name in "ab"]
    nodes = [node("small", memory_bytes=260), node("large", memory_bytes=360)]
    batch = {"batch_size": 2, "weight_bytes": 4, "gradient_bytes": 4, "optimizer_bytes": 8}
    given_problem = problem(layers, nodes, schedule="pipeline", training=batch, micro_batches=2)
    result = ALONE.solve(given_problem, SolveLimits())
    assert result.plan is not None
    assert [stage["node"] for stage in result.plan["stages"]] == ["large", "small"]


def test_medium_instances_have_the_optimum_that_cp_sat_proves() -> None:
    nodes = [
        node(
            f"n{k}",
            flops_per_s=1 + k % 3,
            memory_bytes=600 + 40 * (k % 5),
            uplink_bit_per_s=99 + 31 * (k % 4),
        )
        for k in range(9)
    ]
    for members in (
        {},
        PIPELINE,
        {"limits": {"min_nodes": 5}},
        {"objective": {"bottleneck_s": 1, "time_s": 1}},
    ):
        medium = LayerAssignment.from_document(document("abcdefghij", nodes, **members))
        results = [solver.solve(medium, SolveLimits()) for solver in (ALONE, DynamicProgramme(), CpSat())]
        assert {result.status for result in results} == {Status.OPTIMAL}
        assert [result.objective for result in results] == pytest.approx([results[0].objective] * 3, rel=2e-6)


labels = st.lists(st.tuples(*[st.integers(0, 3)] * 4), min_size=1, max_size=30)


@given(labels)
def test_dominance_keeps_exactly_one_of_the_best_labels_of_each_state(drawn: list[tuple[int, ...]]) -> None:
    states, criteria = np.array(drawn)[:, :1], np.array(drawn, dtype=float)[:, 1:]
    kept = [tuple(drawn[place]) for place in undominated(states, criteria)]
    assert len({*kept}) == len(kept)
    for label in drawn:
        same = [other for other in drawn if other[0] == label[0]]
        beaten = any(
            other != label and all(a <= b for a, b in zip(other, label, strict=True)) for other in same
        )
        assert (label in kept) is not beaten
