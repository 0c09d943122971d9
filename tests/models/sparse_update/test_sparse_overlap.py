"""Collectives of devices that go on to the next one at once, equation (9)."""

from __future__ import annotations

import pytest
from independent.sparse_instances import random_document, random_plan

from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.models.sparse_update.overlap import Span, overlapped
from edgeplan.models.sparse_update.plan import Collective, Slice
from edgeplan.models.sparse_update.slices import Updated

PART = Slice.model_validate({"layer": "conv", "from": 0.0, "to": 1.0})
ALPHA, SENT = 0.5, 1.0  # seconds of a message's latency, and of all its bytes
DEVICE = {"memory_bytes": 10, "flops_per_s": 1.0}


def problem_of(broadcast: str = "flat") -> SparseUpdate:
    option = {"ratio": 1.0, "memory_bytes": 1, "contribution": 1.0, "parameters": 25}
    layer = {"name": "conv", "forward_flops": 1, "input_gradient_flops": 1, "bias_bytes": 0}
    return SparseUpdate.from_document(
        {
            "format": "edgeplan/1",
            "problem": "sparse_update",
            "layers": [layer | {"options": [option | {"weight_gradient_flops": 1}]}],
            "depth_contribution": [0.0, 0.0],
            "devices": [{"id": name, **DEVICE} for name in "abcd"],
            "network": {"latency_s": ALPHA, "bit_per_s": 800.0},
            "training": {"batch_size": 1, "gradient_bytes": 4},
            "objective": {"contribution": 1.0, "aggregation_s": 0.0},
            "broadcast": broadcast,
        }
    )


def all_reduce(members: str) -> Collective:
    return Collective(kind="all_reduce", members=tuple(members), slices=(PART,))


def broadcast(members: str) -> Collective:
    return Collective(kind="broadcast", root=members[0], members=tuple(members), slices=(PART,))


def spans(*collectives: Collective, form: str = "flat") -> list[Span]:
    return overlapped(problem_of(form).instance, collectives, [Updated(PART, (0, 1), 25)])


PAIR = 2 * ALPHA + SENT


def test_collectives_without_a_device_in_common_run_side_by_side() -> None:
    assert spans(all_reduce("ab"), all_reduce("cd")) == [(0.0, PAIR), (0.0, PAIR)]


def test_an_all_reduce_waits_for_its_last_member() -> None:
    found = spans(all_reduce("ab"), all_reduce("bc"), all_reduce("cd"))

    assert found == [(0.0, PAIR), (PAIR, 2 * PAIR), (2 * PAIR, 3 * PAIR)]


def test_a_root_goes_on_when_its_last_message_has_left() -> None:
    found = spans(broadcast("abc"), all_reduce("ad"), all_reduce("bc"))

    told = ALPHA + 2 * SENT
    assert found == [(0.0, told), (2 * SENT, 2 * SENT + PAIR), (told, told + PAIR)]


def test_a_tree_lets_its_root_go_a_latency_before_its_end() -> None:
    found = spans(broadcast("abcd"), broadcast("ab"), form="tree")

    assert found == [(0.0, 2 * (ALPHA + SENT)), (ALPHA + 2 * SENT, 2 * ALPHA + 3 * SENT)]


def test_a_root_does_not_wait_for_those_that_it_tells() -> None:
    found = spans(all_reduce("cd"), broadcast("ac"), all_reduce("ab"))

    assert found[1:] == [(0.0, ALPHA + SENT), (SENT, SENT + PAIR)]


def test_a_collective_of_one_takes_no_time() -> None:
    assert spans(all_reduce("a"), all_reduce("ab")) == [(0.0, 0.0), (0.0, PAIR)]


def test_overlapping_takes_no_longer_than_one_after_another() -> None:
    shorter = 0
    for seed in range(150):
        document = random_document(seed, 1 + seed % 4, 2 + seed % 4, network=seed % 2 == 1)
        problem = SparseUpdate.from_document(document)
        cost = problem.cost(problem.plan_from_document(random_plan(document, seed)))
        one_after_another_s = cost.aggregation.seconds

        assert cost.overlapped_s <= one_after_another_s * (1 + 1e-12), seed
        assert cost.round_s(3) == pytest.approx(3 * cost.round_s(1) - 2 * cost.overlapped_s)
        shorter += cost.overlapped_s < 0.99 * one_after_another_s
    assert shorter > 10
