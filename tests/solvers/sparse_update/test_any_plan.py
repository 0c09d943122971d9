"""Whether any plan exists is found out by engines, from rules among devices too."""

from __future__ import annotations

import time

import pytest
from independent.sparse_instances import brute_force, random_document

from edgeplan.models.result import Status
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.sparse_update.choices.cluster import Cluster
from edgeplan.solvers.sparse_update.infeasible.any_plan import AnyPlan, UndecidedError
from edgeplan.solvers.sparse_update.lagrangian import Lagrangian

A_MINUTE = 60.0


@pytest.mark.parametrize("by_pulp", [False, True])
def test_there_is_a_plan_exactly_where_enumeration_finds_one(by_pulp: bool) -> None:
    with AnyPlan(0, by_pulp=by_pulp) as engine:
        for seed in range(12):
            document = random_document(seed, 2, 4)
            cluster = Cluster.of(SparseUpdate.from_document(document), apart=True)
            found = engine.choices(cluster, time.monotonic() + A_MINUTE)
            assert (found is None) == (brute_force(document) is None), seed
            assert found is None or cluster.problem.check(cluster.plan(found)).feasible, seed


def test_too_late_or_too_large_is_told_and_not_guessed() -> None:
    cluster = Cluster.of(SparseUpdate.from_document(random_document(0, 3, 3)), apart=True)
    with AnyPlan(0) as engine, pytest.raises(UndecidedError):
        engine.choices(cluster, time.monotonic() - 1)


@pytest.mark.parametrize("seed", [1007, 1043])
def test_rules_that_a_dozen_devices_cannot_keep_are_proven_so(seed: int) -> None:
    document = random_document(seed, 3, 12, free=seed % 7 == 0)
    result = Lagrangian().solve(SparseUpdate.from_document(document), SolveLimits(time_limit_s=A_MINUTE))
    assert result.status is Status.INFEASIBLE
    assert result.detail == "confirmed by CP-SAT"
    assert result.conflicts


@pytest.mark.parametrize("seed", [1029, 1037])
def test_a_dozen_devices_are_planned_for_one_by_one_where_slices_are_few(seed: int) -> None:
    most_layers, most_devices = ((4, 9), (3, 12))[seed % 2]
    document = random_document(seed, most_layers, most_devices, free=seed % 7 == 0) | {"broadcast": "flat"}
    result = Lagrangian().solve(SparseUpdate.from_document(document), SolveLimits(time_limit_s=A_MINUTE))
    assert result.status is Status.OPTIMAL
