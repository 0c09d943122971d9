"""Predicted memory: never below the peak of live tensors, and not far above it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

pytest.importorskip("torch")

import torch
from pruned_memory import measured_bytes, random_updates, with_other_modules
from pruned_networks import Case, case_of, chain, mobilenet

from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.runtime.profiling.dataflow import key
from edgeplan.runtime.sparse.measured import Cluster, Contributions, Offer, base_bytes, build
from edgeplan.runtime.sparse.measured.base_bytes import transient_bytes
from edgeplan.runtime.sparse.measured.transients import StorageLives

RATIOS = (0.1, 0.25, 0.5, 1.0)


@cache
def problem_of(make: Callable[[], Case], momentum: bool) -> SparseUpdate:
    case = make()
    nothing = Contributions(
        {layer.name: dict.fromkeys(RATIOS, 0.0) for layer in case.layers}, (0.0,) * (len(case.layers) + 1), {}
    )
    document = build(
        case.module,
        case.layers,
        case.batch,
        nothing,
        Cluster(num_devices=1, least_memory=1.0),
        Offer(ratios=RATIOS, momentum=momentum),
        name="memory",
    )
    return SparseUpdate.from_document({k: v for k, v in document.items() if not k.startswith("x-")})


def predicted_bytes(problem: SparseUpdate, depth: int, ratios: dict[str, float]) -> int:
    updates = [{"layer": name, "ratio": ratio} for name, ratio in ratios.items()]
    plan = SparsePlan.from_document({"devices": [{"id": "device-0", "depth": depth, "updates": updates}]})
    found: int = problem.metrics(plan)["devices"][0]["memory_bytes"]
    return found


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize(("make", "most"), [(chain, 1.5), (with_other_modules, 2.0), (mobilenet, 4 / 3)])
def test_the_prediction_is_at_least_the_peak_and_not_far_above(
    make: Callable[[], Case], most: float, momentum: float
) -> None:
    case, problem = make(), problem_of(make, momentum > 0)
    for depth, ratios in random_updates(case, count=12):
        predicted = predicted_bytes(problem, depth, ratios)
        measured = measured_bytes(case, depth, ratios, momentum)
        assert measured <= predicted <= measured * most, (depth, ratios)


@pytest.mark.parametrize("make", [chain, mobilenet])
def test_too_much_is_no_more_than_what_is_held_for_a_while_and_the_gradients(
    make: Callable[[], Case],
) -> None:
    case, problem = make(), problem_of(make, momentum=True)
    transient = transient_bytes(case.module, case.layers, case.batch)
    for depth, ratios in random_updates(case, count=6):
        gradients = sum(4 * layer.parameters(ratios.get(layer.name, 0.0)) for layer in case.layers)
        excess = predicted_bytes(problem, depth, ratios) - measured_bytes(case, depth, ratios, 0.9)
        assert excess <= transient + gradients + 4 * sum(layer.bias_parameters for layer in case.layers)


def test_the_classifier_alone_is_predicted_to_the_byte() -> None:
    case, problem = mobilenet(), problem_of(mobilenet, momentum=True)
    assert predicted_bytes(problem, 0, {}) == measured_bytes(case, 0, {}, 0.9)


def test_the_base_is_the_same_for_weights_that_exist_and_for_those_that_do_not() -> None:
    case = chain()
    on_meta = case_of(chain().module, case.batch).module.to("meta")
    assert base_bytes(on_meta, case.layers, case.batch) == base_bytes(chain().module, case.layers, case.batch)


def test_the_module_is_not_changed_by_reckoning() -> None:
    case = chain()
    base_bytes(case.module, case.layers, case.batch)
    assert all(not parameter.is_meta for parameter in case.module.parameters())
    assert all(parameter.grad is None for parameter in case.module.parameters())


def test_storages_in_turn_count_only_while_both_are_there() -> None:
    with StorageLives() as lives:
        first = torch.zeros(10)
        second = first + 1
        large = torch.zeros(100)
        del first
        third = second * 2
    sizes = [40, 40, 400, 40]
    assert lives.peak_bytes() == sum(sizes) - 40
    assert lives.peak_bytes(without={key(large)}) == 80
    assert lives.peak_bytes(in_turn=[(key(second), key(large))]) == 40 + 40 + 0
    assert lives.peak_bytes(without={key(second), key(third)}) == 40 + 400


def test_views_and_in_place_operators_count_once() -> None:
    given = torch.zeros(10)
    with StorageLives([given]) as lives:
        made = torch.ones(10)
        made.view(2, 5).add_(1)
        given.mul_(2)
    assert lives.peak_bytes() == 40
