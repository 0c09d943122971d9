"""The serial search at size: bounds below the independent optimum, plans above it, proofs confirmed."""

from __future__ import annotations

import pytest
from random_problems import judged, near
from small_instances import document, node
from tier import chunks

from benchmarks.at_size_instances import at_size_document
from edgeplan.models.problems import problem_from_document
from edgeplan.models.result import Result, Status, Stop
from edgeplan.solvers.layer_assignment.at_size.groups.columns import Columns, parts_of
from edgeplan.solvers.layer_assignment.at_size.groups.partition import first_columns
from edgeplan.solvers.layer_assignment.at_size.groups.work import Work
from edgeplan.solvers.layer_assignment.at_size.no_chain import has_no_chain
from edgeplan.solvers.layer_assignment.at_size.solver import AtSize
from edgeplan.solvers.layer_assignment.circulation.cp_sat import CpSat
from edgeplan.solvers.limits import SolveLimits

random_seeds = pytest.mark.parametrize("seeds", chunks(20, commit=40, large=4_000), ids=str)


def _solved(given: dict[str, object], *, gap: float = 0.0, time_limit_s: float = 60.0) -> Result:
    return AtSize().solve(problem_from_document(given), SolveLimits(time_limit_s=time_limit_s, gap=gap))


@random_seeds
def test_the_optimum_lies_between_bound_and_plan(seeds: range) -> None:
    for seed in seeds:
        case = judged(seed)
        result = AtSize().solve(case.problem, SolveLimits(time_limit_s=2))
        if case.objective is None:
            assert (seed, result.plan) == (seed, None)
            continue
        assert (seed, result.status) != (seed, Status.INFEASIBLE)
        if result.bound is not None:
            assert result.bound <= case.objective * (1 + 1e-9) + 1e-15
        if result.objective is not None:
            assert result.objective >= case.objective * (1 - 1e-9)
        if result.status is Status.OPTIMAL:
            assert result.objective == near(case.objective, rel=1e-6)


@random_seeds
def test_no_chain_is_said_only_of_infeasible_instances(seeds: range) -> None:
    for seed in seeds:
        case = judged(seed)
        assert case.objective is None or not has_no_chain(case.problem)


@pytest.mark.parametrize("schedule", ["server", "peer"])
@pytest.mark.parametrize("case", ["types5", "fasttight"])
def test_neither_its_bound_nor_that_of_cp_sat_is_above_the_other_plan(case: str, schedule: str) -> None:
    given = at_size_document(case, schedule, num_layers=16, num_nodes=60, seed=3)  # type: ignore[arg-type]
    exact = CpSat().solve(problem_from_document(given), SolveLimits(time_limit_s=8))
    result = _solved(given, time_limit_s=8)
    for one, other in ((exact, result), (result, exact)):
        assert other.objective is not None
        assert one.bound is None or one.bound <= other.objective * (1 + 1e-6)
    assert result.bound is not None


@pytest.mark.parametrize("schedule", ["server", "peer"])
@pytest.mark.parametrize("case", ["bar", "free", "equal", "types5"])
def test_thousands_of_nodes_are_proven_within_half_a_per_cent(case: str, schedule: str) -> None:
    given = at_size_document(case, schedule, num_layers=40, num_nodes=3_000)  # type: ignore[arg-type]
    result = _solved(given, gap=0.005)
    assert result.gap is not None
    assert result.gap <= 0.005


def test_equal_nodes_are_one_column_that_serves_as_often_as_there_are_nodes() -> None:
    # 240 bytes hold one layer: 6 + 5 + 4 s, three nodes of a kind, transfers free
    result = _solved(document(nodes=[node(name, memory_bytes=240) for name in "pqr"]))
    assert (result.status, result.objective) == (Status.OPTIMAL, near(15))


def test_two_equal_nodes_do_not_serve_three_stages() -> None:
    result = _solved(document(nodes=[node(name, memory_bytes=240) for name in "pq"]))
    assert result.plan is None


def test_what_no_node_holds_is_infeasible_for_two_reasons() -> None:
    given = document(nodes=[node(name, memory_bytes=239) for name in "pqr"])
    result = _solved(given)
    assert (result.status, result.stop) == (Status.INFEASIBLE, Stop.PROOF)
    assert has_no_chain(problem_from_document(given))


def test_splitting_a_column_never_makes_a_stage_cheaper() -> None:
    work = Work(problem_from_document(at_size_document("bar", "peer", num_layers=12, num_nodes=300)))
    columns = first_columns(work)
    run = work.run(3, 6)
    for column, group in enumerate(columns.groups):
        if len(group) > 1:
            parts = Columns.of(work, parts_of(work, group, run))
            assert (parts.own.min(axis=1) >= columns.own[:, column]).all()
            assert sum(parts.capacity) == columns.capacity[column]
