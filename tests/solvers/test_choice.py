"""What ``auto`` takes, and that the result says why."""

from __future__ import annotations

from typing import Any

import pytest
from small_instances import node, problem

import edgeplan
from edgeplan.solvers.layer_assignment.choice import choose


def different(count: int) -> list[dict[str, Any]]:
    return [node(f"n{k}", flops_per_s=k + 1, uplink_bit_per_s=k + 1) for k in range(count)]


LAYERS = "abcdefghijklmnopqrstuvwx"


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"nodes": different(8)}, "nodes of 8 types make about"),
        ({"nodes": [node(f"n{k}") for k in range(100)]}, "nodes of one type make about"),
        ({"nodes": different(30), "node_order": "given"}, "nodes in given order make about"),
    ],
)
def test_few_states_are_for_the_dynamic_programme(members: dict[str, Any], reason: str) -> None:
    choice = choose(problem(LAYERS, **members))
    assert choice.solver == "dp"
    assert choice.reason.startswith(reason)


def test_many_states_are_for_another_exact_solver() -> None:
    assert choose(problem(LAYERS, different(40))).solver != "dp"


def test_many_numbers_on_a_label_count_against_the_dynamic_programme() -> None:
    limits = {"deadline_s": 1e6, "budget_price": 1e6, "budget_energy_j": 1e6}
    nodes = different(13)
    assert choose(problem(LAYERS, nodes)).solver == "dp"
    assert choose(problem(LAYERS, nodes, limits=limits)).solver != "dp"


def test_the_result_tells_who_solved_and_why() -> None:
    result = edgeplan.solve(problem())
    assert result.solver.name == "dp"
    assert result.solver.options["auto"] == (
        "nodes of one type make about 3 states, few for a dynamic programme"
    )


def test_a_solver_that_was_named_gives_no_reason() -> None:
    assert "auto" not in edgeplan.solve(problem(), "dp").solver.options
