"""Solvers of sparse_update find what enumeration finds, on random instances near the edges of limits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import pytest
from independent.sparse_free import best_objective
from independent.sparse_instances import brute_force, random_document
from tier import chunks

from edgeplan.models.result import Result, Status
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.registry import solvers_of
from edgeplan.solvers.sparse_update.choices.cluster import Choices, Cluster
from edgeplan.solvers.sparse_update.exact.cp_sat import CpSat
from edgeplan.solvers.sparse_update.exact.milp import Milp
from edgeplan.solvers.sparse_update.lagrangian import Lagrangian
from edgeplan.solvers.sparse_update.separate import Separate
from edgeplan.solvers.sparse_update.tree.at_size import AtSize
from edgeplan.solvers.sparse_update.tree.improvement import Improvement
from edgeplan.solvers.sparse_update.tree.tree import Tree

SIZES = ((3, 3), (4, 2), (2, 4))  # layers and devices


def a_minute() -> SolveLimits:
    """A minute from now, and nobody to blame."""
    return SolveLimits(time_limit_s=60, blame=False)


def drawn(seed: int, **more: bool) -> dict[str, Any]:
    """The instance of a seed; every fourth has a general network."""
    return random_document(seed, *SIZES[seed % len(SIZES)], network=seed % 4 == 3, **more)


def agrees(result: Result, best: float | None) -> bool:
    """Whether a result proves this optimum, or that there is none."""
    if best is None:
        return result.status is Status.INFEASIBLE
    return result.status is Status.OPTIMAL and result.objective == pytest.approx(best, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("seeds", chunks(20, commit=200, large=4_000), ids=str)
def test_prices_and_search_prove_what_enumeration_finds(seeds: range) -> None:
    for seed in seeds:
        document = drawn(seed)
        best = brute_force(document)
        result = Lagrangian().solve(SparseUpdate.from_document(document), a_minute())
        assert agrees(result, None if best is None else best[0]), seed


@pytest.mark.parametrize("seeds", chunks(10, commit=40, large=1_000), ids=str)
@pytest.mark.parametrize(
    "solver",
    [CpSat(), CpSat(polish=False), Milp(), Milp(polish=False), Milp("PULP_CBC_CMD", polish=False)],
    ids=repr,
)
def test_engines_prove_what_enumeration_finds(solver: Any, seeds: range) -> None:
    for seed in seeds:
        document = drawn(seed)
        best = brute_force(document)
        result = solver.solve(SparseUpdate.from_document(document), a_minute())
        assert agrees(result, None if best is None else best[0]), seed


@pytest.mark.parametrize("seeds", chunks(10, commit=30, large=1_000), ids=str)
@pytest.mark.parametrize("solver", [Lagrangian(), CpSat(polish=False), Milp()], ids=repr)
def test_free_collectives_are_the_best_that_enumeration_finds(solver: Any, seeds: range) -> None:
    for seed in seeds:
        document = random_document(seed, 2, 3, free=True) | {"broadcast": "flat"}
        result = solver.solve(SparseUpdate.from_document(document), a_minute())
        assert agrees(result, best_objective(document)), seed


@pytest.mark.parametrize("seeds", chunks(10, commit=20, large=1_000), ids=str)
@pytest.mark.parametrize("solver", [Lagrangian(), CpSat(polish=False)], ids=repr)
def test_free_collectives_on_any_network_are_bounded_from_above(solver: Any, seeds: range) -> None:
    for seed in seeds:
        document = random_document(seed, 2, 3, free=True, network=seed % 2 == 0)
        result = solver.solve(SparseUpdate.from_document(document), a_minute())
        best = best_objective(document)
        assert (result.status is Status.INFEASIBLE) == (best is None)
        if best is not None:
            assert result.objective is not None
            assert result.bound is not None
            assert result.bound >= best - 1e-9 * max(1.0, abs(best))


@pytest.mark.parametrize("seeds", chunks(15, commit=30, large=2_000), ids=str)
def test_of_one_device_the_knapsack_and_cp_sat_agree(seeds: range) -> None:
    for seed in seeds:
        document = random_document(seed, 5, 1)
        document["coverage"] = {}
        problem = SparseUpdate.from_document(document)
        by_knapsack, by_cp_sat = (
            Separate().solve(problem, a_minute()),
            CpSat(polish=False).solve(problem, a_minute()),
        )
        assert by_knapsack.status is by_cp_sat.status
        if by_knapsack.objective is not None:
            assert by_knapsack.objective == pytest.approx(by_cp_sat.objective, rel=1e-6)


@pytest.mark.parametrize("seed", [17, 60])
def test_a_search_that_splits_by_groups_may_be_stopped_at_any_moment(seed: int) -> None:
    problem = SparseUpdate.from_document(random_document(seed, 8, 5))
    asked = 0

    def never() -> bool:
        nonlocal asked
        asked += 1
        return False

    best, bound = searched(problem, never)
    assert best == pytest.approx(bound, rel=1e-6)
    for moment in range(0, asked, 1 + asked // 30):
        left = iter(range(moment))
        below, above = searched(problem, lambda left=left: next(left, None) is None)
        assert below <= best + 1e-6 * abs(best), moment
        assert above >= bound - 1e-6 * abs(bound), moment


def searched(problem: SparseUpdate, until: Callable[[], bool]) -> tuple[float, float]:
    """Search until told to stop; return the best plan's objective and the bound."""
    improvement, bounds = Improvement.of(Cluster.of(problem, apart=False)), [math.inf]

    def judged(choices: Choices) -> float | None:
        check = problem.check(improvement.collectives.plan(choices))
        return check.objective if check.feasible else None

    tree = Tree(improvement, judged, bounds.append, until)
    if tree.begin(60.0):
        tree.search()
    return (tree.best if tree.has_plan else -math.inf), min(bounds)


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("seeds", chunks(30, commit=60, large=2_000), ids=str)
def test_groups_by_size_bound_what_enumeration_finds(seeds: range, free: bool) -> None:
    for seed in seeds:
        document = drawn(seed, free=free) if not free else random_document(seed, 2, 3, free=True)
        optimum = best_objective(document) if free else brute_force(document)
        best = optimum[0] if isinstance(optimum, tuple) else optimum
        problem = SparseUpdate.from_document(document)
        cluster, bounds = Cluster.of(problem, apart=False), [math.inf]
        improvement, until = Improvement.of(cluster), time.monotonic() + 3

        def judged(
            choices: Choices, problem: SparseUpdate = problem, own: Improvement = improvement
        ) -> float | None:
            check = problem.check(own.collectives.plan(choices))
            return check.objective if check.feasible else None

        search = AtSize(improvement, judged, bounds.append, lambda until=until: time.monotonic() > until)
        done = search.run(3.0)
        assert not (done and best is not None), seed
        if best is not None:
            assert min(bounds) >= best - 1e-9 * max(1.0, abs(best)), seed
            if not free:
                assert search.best <= best + 1e-9 * max(1.0, abs(best)), seed
        else:
            assert search.best == -math.inf, seed


def test_auto_is_the_solver_by_prices() -> None:
    assert next(iter(solvers_of("sparse_update"))) == Lagrangian.name
