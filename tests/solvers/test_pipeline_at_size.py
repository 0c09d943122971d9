"""The pipeline search at size, without the exact search behind it: bounds below the optimum, plans above."""

from __future__ import annotations

import numpy as np
import pytest
from random_problems import judged
from small_instances import document, node
from tier import chunks

from benchmarks.at_size_instances import at_size_document
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Stop
from edgeplan.solvers.layer_assignment.at_size.solver import AtSize
from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.labels import Copies
from edgeplan.solvers.layer_assignment.pipeline_at_size.solver import improve_and_bound
from edgeplan.solvers.layer_assignment.search import Search
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending


def searched(problem: LayerAssignment, *, time_limit_s: float = 1.0) -> tuple[Search, Ending]:
    search = Search(problem, SolveLimits(time_limit_s=time_limit_s))
    return search, improve_and_bound(search, search.limits.deadline)


def pipeline(*args: object, **members: object) -> LayerAssignment:
    given = {"schedule": "pipeline", "objective": {"bottleneck_s": 1}} | members
    return LayerAssignment.from_document(document(*args, **given))  # type: ignore[arg-type]


@pytest.mark.parametrize("seeds", chunks(20, commit=40, large=2_000), ids=str)
def test_the_optimum_lies_between_bound_and_plan(seeds: range) -> None:
    for seed in seeds:
        case = judged(seed, "pipeline")
        search, ending = searched(case.problem)
        if case.objective is None:
            assert (seed, search.plan) == (seed, None)
            continue
        assert (seed, ending.infeasible) == (seed, False)
        assert search.bound is None or search.bound <= case.objective * (1 + 1e-9) + 1e-15
        assert search.objective is None or search.objective >= case.objective * (1 - 1e-9)


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b"])
@pytest.mark.parametrize("case", ["bar", "free", "many", "equal", "types5"])
def test_thousands_of_nodes_are_proven_within_half_a_per_cent(case: str, schedule: str) -> None:
    given = at_size_document(case, schedule, num_layers=40, num_nodes=3_000)  # type: ignore[arg-type]
    problem = LayerAssignment.from_document(given)
    result = AtSize().solve(problem, SolveLimits(time_limit_s=60, gap=0.005))
    assert result.gap is not None
    assert result.gap <= 0.005


def test_a_layer_that_fits_nowhere_is_infeasible_for_two_reasons() -> None:
    _, ending = searched(pipeline(nodes=[node(name, memory_bytes=159) for name in "pqr"]))
    assert (ending.stop, ending.infeasible) == (Stop.PROOF, True)
    assert ending.detail == "no plan exists (no node may own and hold layer a alone)"


def test_more_stages_than_nodes_are_infeasible_for_two_reasons() -> None:
    _, ending = searched(pipeline(nodes="pq", limits={"min_nodes": 3}))
    assert (ending.stop, ending.infeasible) == (Stop.PROOF, True)
    assert "at least 3 nodes are asked for" in (ending.detail or "")


def test_prices_alone_deny_a_plan_but_are_not_believed() -> None:
    # each node holds one layer, and two nodes do not hold three
    search, ending = searched(pipeline(nodes=[node(name, memory_bytes=160) for name in "pq"]))
    assert (search.plan, ending.infeasible) == (None, False)


def test_copies_of_a_candidate_are_used_one_by_one() -> None:
    copies = Copies.of(np.array([2, 0, 70]))
    used = np.zeros((1, copies.num_words), dtype=np.uint64)
    row = np.array([0])
    for _ in range(2):
        assert copies.is_free(used, row).all()
        used = copies.taken(used, row)
    assert not copies.is_free(used, row).any()
    assert copies.is_free(used, np.array([1, 2])).all()
    for _ in range(70):
        assert copies.is_free(used, np.array([2])).all()
        used = copies.taken(used, np.array([2]))
    assert not copies.is_free(used, np.array([2])).any()
