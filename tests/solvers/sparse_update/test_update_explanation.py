"""explain of sparse_update: what binds, what more would bring, and why there is no plan."""

from __future__ import annotations

import copy

import pytest
from independent.sparse_instances import brute_force, random_document
from tier import chunks

import edgeplan
from edgeplan.models.explanation import Outcome
from edgeplan.models.result import Status
from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.models.sparse_update.examples import two_layers_two_boards

PROBLEM = two_layers_two_boards()


def test_more_memory_on_the_small_board_brings_the_other_layer_only_when_it_fits() -> None:
    devices = [dict(device) for device in PROBLEM.document["devices"]]
    devices[0]["memory_bytes"] = 1_900
    why = edgeplan.explain(PROBLEM.replace(devices=devices), time_limit_s=20)
    best = why.what_if[0]
    assert (best.change, best.outcome) == ("10 % more memory on small", Outcome.SETTLED)
    # both layers trained by both: 1 more, and one all-reduce of 34 ms in place of 18 and 17 ms
    assert best.gain == pytest.approx(1.0 + 0.1 * 0.001)


def test_a_plan_that_breaks_a_limit_is_told_so_and_nothing_else() -> None:
    both = {"depth": 2, "updates": [{"layer": "conv", "ratio": 1.0}, {"layer": "fc", "ratio": 1.0}]}
    wrong = SparsePlan.from_document({"devices": [{"id": "small", **both}, {"id": "large", **both}]})
    why = edgeplan.explain(PROBLEM, wrong)
    assert why.status is None
    assert why.violations[0]["pointer"] == "/devices/0/memory_bytes"


def test_limits_that_bind_come_first_and_have_no_slack() -> None:
    devices = [dict(device) for device in PROBLEM.document["devices"]]
    devices[1]["memory_bytes"] = 2_000
    why = edgeplan.explain(PROBLEM.replace(devices=devices), time_limit_s=20)
    assert (why.limits[0].pointer, why.limits[0].slack, why.limits[0].binds) == (
        "/devices/1/memory_bytes",
        0,
        True,
    )
    assert not why.limits[1].binds


def test_an_instance_without_a_plan_has_the_least_changes_that_help() -> None:
    document = PROBLEM.to_document() | {"coverage": {"layers": {"conv": 2, "fc": 2}}}
    why = edgeplan.explain(SparseUpdate.from_document(document), time_limit_s=30)
    assert why.status is Status.INFEASIBLE
    changes = {one.pointers[0]: one.change_to for one in why.relaxations}
    assert changes["/devices/0/memory_bytes"] == 2_000
    assert changes["/coverage/layers/conv"] == 1


def _changed(document: dict, pointer: str, value: object) -> dict:  # type: ignore[type-arg]
    changed = copy.deepcopy(document)
    place, parts = changed, pointer.split("/")[1:]
    for part in parts[:-1]:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[int(parts[-1]) if isinstance(place, list) else parts[-1]] = value
    return changed


@pytest.mark.parametrize("seeds", chunks(20, commit=80, large=2_000), ids=str)
def test_a_change_that_is_said_to_help_does_and_a_smaller_one_does_not(seeds: range) -> None:
    for seed in seeds:
        document = random_document(seed, 3, 3)
        result = edgeplan.solve(SparseUpdate.from_document(document), time_limit_s=60)
        for conflict in result.conflicts:
            if not conflict.restores or not isinstance(conflict.change_to, int):
                continue
            less = conflict.change_to + (-1 if "memory" in conflict.pointer else 1)
            assert brute_force(_changed(document, conflict.pointer, conflict.change_to)) is not None
            assert brute_force(_changed(document, conflict.pointer, less)) is None
