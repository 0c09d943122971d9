"""Bundles of slices come to what is said of them, keep limits, and find groups that classes alone miss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from independent.sparse_instances import random_document
from tier import chunks

from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.sparse_update.bundles.bundles import Bundles, Picks
from edgeplan.solvers.sparse_update.choices.best_choices import BestChoices
from edgeplan.solvers.sparse_update.choices.cluster import Cluster
from edgeplan.solvers.sparse_update.choices.scope import Scope
from edgeplan.solvers.sparse_update.exact.cp_sat import CpSat
from edgeplan.solvers.sparse_update.tree.improvement import Improvement

DRAWN = pytest.mark.parametrize("seeds", chunks(20, commit=60, large=2_000), ids=str)


def drawn(seed: int, num_layers: int = 4, num_devices: int = 8) -> dict[str, Any]:
    """A random instance, whose groups cost latency."""
    document = random_document(seed, num_layers, num_devices)
    document |= {"nested": False, "fuse": True, "collectives": "canonical", "coverage": {}}
    document["network"] = {"latency_s": 0.01, "bit_per_s": 1e5}
    document["objective"] = {"contribution": 1.0, "aggregation_s": 0.3 * (seed % 3 + 1)}
    return document


def classes(document: dict[str, Any]) -> Cluster:
    """Its devices, equal ones together."""
    return Cluster.of(SparseUpdate.from_document(document), apart=False)


def suiting(seeds: range) -> Iterator[tuple[int, Cluster]]:
    """Clusters of random instances in which updates bring something, and every class has a choice."""
    for seed in seeds:
        cluster = classes(drawn(seed))
        best = BestChoices(cluster).find(cluster.gain, cluster.depth_gain, Scope.of(cluster))
        if Bundles.suit(cluster) and np.isfinite(best.value).all():
            yield seed, cluster


def found(cluster: Cluster, seed: int = 0, evaluations: int = 2_000) -> Picks:
    """The best of a short search."""
    bundles = Bundles(cluster)
    nothing = bundles.picked(np.full(cluster.num_slices, -1))
    return max(bundles.found(seed, evaluations, lambda: False), default=nothing, key=lambda one: one.value)


def digits() -> dict[str, Any]:
    """Ten devices that hold k layers, for k from 1 to 7; a layer brings one, joining a group costs 0.4."""
    option = {"ratio": 1.0, "memory_bytes": 1, "contribution": 1.0, "parameters": 1}
    figures = {"forward_flops": 0, "input_gradient_flops": 0, "bias_bytes": 0}
    layers = [
        {"name": f"layer.{k}", **figures, "options": [option | {"weight_gradient_flops": 0}]}
        for k in range(7)
    ]
    devices = [{"id": f"pi-{d}", "memory_bytes": 1 + d % 7, "flops_per_s": 1.0} for d in range(70)]
    return {
        "format": "edgeplan/1",
        "problem": "sparse_update",
        "name": "digits",
        "layers": layers,
        "depth_contribution": [0.0] * 8,
        "devices": devices,
        "network": {"latency_s": 0.2, "bit_per_s": 1e12},
        "training": {"batch_size": 1, "gradient_bytes": 4},
        "objective": {"contribution": 1.0, "aggregation_s": 1.0},
    }


def are_apart(picks: Picks, cluster: Cluster) -> bool:
    """Whether no two bundles are updated by the same group."""
    sent = cluster.slice_bytes > 0
    updated = cluster.updated(picks.choices)[:, sent].T
    pairs = {
        (b, group.tobytes()) for b, group in zip(picks.bundle[sent], updated, strict=True) if group.any()
    }
    return len(pairs) == len({group for _, group in pairs})


@DRAWN
def test_choices_keep_all_limits_and_come_to_what_is_said_of_them(seeds: range) -> None:
    for seed, cluster in suiting(seeds):
        picks = found(cluster)
        assert cluster.keeps_limits(picks.choices).all(), seed
        objective = Improvement.of(cluster).objective(picks.choices)
        assert picks.value <= objective + 1e-6, seed
        if are_apart(picks, cluster):
            assert picks.value == pytest.approx(objective, abs=1e-6), seed


@pytest.mark.parametrize("seed", [1, 6, 7, 8, 10, 11, 13, 14])
def test_few_devices_get_the_optimum(seed: int) -> None:
    problem = SparseUpdate.from_document(drawn(seed, 3, 6))
    cluster = Cluster.of(problem, apart=True)
    result = CpSat().solve(problem, SolveLimits(time_limit_s=60, blame=False))
    choices = Improvement.of(cluster).improved(found(cluster).choices)
    assert choices is not None
    assert Improvement.of(cluster).objective(choices) == pytest.approx(result.objective, rel=1e-6)


def test_groups_cut_across_the_order_of_memory_where_that_saves_some() -> None:
    cluster = classes(digits())
    improvement, picks = Improvement.of(cluster), found(cluster, evaluations=20_000)
    alone = BestChoices(cluster).find(cluster.gain, cluster.depth_gain, Scope.of(cluster)).choices
    improved = improvement.improved(alone)
    assert improved is not None
    # one, two and four layers, each updated by 40 devices, which costs 0.2 * (2 * 39 + 1)
    assert improvement.objective(picks.choices) == pytest.approx(280 - 3 * 0.2 * 79, abs=1e-3)
    assert improvement.objective(improved) < improvement.objective(picks.choices) - 10


def test_the_same_seed_finds_the_same_and_another_need_not() -> None:
    cluster = classes(drawn(7, 6, 12))
    first, again = found(cluster, seed=3), found(cluster, seed=3)
    assert first.value == again.value
    assert (first.bundle == again.bundle).all()


def test_a_search_stops_when_it_is_told_to() -> None:
    calls: list[bool] = []

    def until() -> bool:
        calls.append(True)
        return True

    list(Bundles(classes(digits())).found(0, 100_000, until))
    assert len(calls) == 2  # after the first evaluations, and before the next search


@pytest.mark.parametrize(
    "change",
    [
        {"collectives": "free"},
        {"nested": True},
        {"fuse": False},
        {"network": {"latency_s": 0.0, "bit_per_s": 1e6}},
    ],
    ids=str,
)
def test_bundles_are_left_out_where_they_save_nothing(change: dict[str, Any]) -> None:
    assert Bundles.suit(classes(digits()))
    assert not Bundles.suit(classes(digits() | change))
