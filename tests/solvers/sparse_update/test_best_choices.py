"""The knapsack of a device finds, for any values and limits, what enumeration finds the best."""

from __future__ import annotations

import numpy as np
import pytest
from independent.sparse_evaluator import SparseCase
from independent.sparse_instances import choices, random_document
from tier import chunks

from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.solvers.sparse_update.choices.best_choices import BestChoices
from edgeplan.solvers.sparse_update.choices.cluster import Choices, Cluster
from edgeplan.solvers.sparse_update.choices.scope import Scope

LIMITED = pytest.mark.parametrize("seeds", chunks(50, commit=200, large=5_000), ids=str)


def enumerated(document: dict, device: dict) -> float:  # type: ignore[type-arg]
    """The most that one device brings within its own limits, weighted as in the objective."""
    case = SparseCase(document)
    weight = document["objective"]["contribution"] * device.get("weight", 1.0)
    return max((weight * case.contribution(e) for e in choices(case, device["id"])), default=-np.inf)


@LIMITED
def test_every_device_brings_what_enumeration_finds(seeds: range) -> None:
    for seed in seeds:
        document = random_document(seed, 4, 2)
        cluster = Cluster.of(SparseUpdate.from_document(document))
        best = BestChoices(cluster).find(cluster.gain, cluster.depth_gain, Scope.of(cluster))
        known = [enumerated(document, device) for device in document["devices"]]
        assert best.value == pytest.approx(np.array(known), abs=1e-9)


@LIMITED
def test_a_search_that_begins_with_other_values_ends_with_the_same(seeds: range) -> None:
    for seed in seeds:
        cluster = Cluster.of(SparseUpdate.from_document(random_document(seed, 5, 2)))
        rng, warm = np.random.default_rng(seed), BestChoices(cluster)
        for _ in range(3):
            value = cluster.gain - rng.normal(0, 0.2, cluster.gain.shape)
            depths = cluster.depth_gain + rng.normal(0, 0.2, cluster.depth_gain.shape)
            limits = Scope.of(cluster)
            cold = BestChoices(cluster).find(value, depths, limits)
            assert warm.find(value, depths, limits).value == pytest.approx(cold.value, abs=1e-12)


@LIMITED
def test_whether_a_value_is_reached_agrees_with_the_best(seeds: range) -> None:
    for seed in seeds:
        cluster = Cluster.of(SparseUpdate.from_document(random_document(seed, 4, 1)))
        finder = BestChoices(cluster)
        best = finder.find(cluster.gain, cluster.depth_gain, Scope.of(cluster)).value[0]
        rows = cluster.gain[0], cluster.depth_gain[0], cluster.allowed[0], cluster.may_skip[0]
        if np.isfinite(best):
            may, found = finder.reaches(0, best - 1e-6, rows)
            assert may
            if found is not None:
                choices = Choices(np.array([found[0]], np.int32), found[1][None])
                assert cluster.keeps_limits(choices).all()
                assert cluster.brought(choices)[0] > best - 1e-6
        assert finder.reaches(0, max(best, -1e9) + 1e-9, rows) == (False, None)


@pytest.mark.parametrize("seed", range(20))
def test_choices_survive_the_way_to_a_plan_and_back(seed: int) -> None:
    problem = SparseUpdate.from_document(random_document(seed, 4, 3))
    cluster = Cluster.of(problem)
    best = BestChoices(cluster).find(cluster.gain, cluster.depth_gain, Scope.of(cluster))
    if not np.isfinite(best.value).all():
        return
    again = cluster.choices(cluster.plan(best.choices))
    assert np.array_equal(again.depth, best.choices.depth)
    assert np.array_equal(again.option, best.choices.option)
