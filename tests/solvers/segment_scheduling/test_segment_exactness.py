"""Slots are solved to the optimum that enumeration finds, and refused where it finds nothing."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator

import pytest
from independent.segment_enumeration import every_optimum, slot_optimum
from independent.segment_evaluator import Document, evaluate
from independent.segment_instances import random_document
from judged_slots import SMALL, is_feasible, problem_of, unequal_document
from tier import cases, chunks

import edgeplan
from edgeplan.models.result import Conflict, Result, Status, Stop


def solved(document: Document) -> Result:
    return edgeplan.solve(problem_of(document))


def judged(document: Document, optimum: float | None) -> str | None:
    """Return what is wrong with the solver's answer, None where it is right."""
    result = solved(document)
    if optimum is None:
        return None if result.status is Status.INFEASIBLE else f"{result.status}, but there is no plan"
    if result.status is not Status.OPTIMAL:
        return f"{result.status}: {result.detail}, gap {result.gap}"
    assert result.objective is not None
    assert result.bound is not None
    verdict = evaluate(document, result.plan or {})
    for is_right, told in (
        (math.isclose(result.objective, optimum, rel_tol=1e-6), "another objective than the optimum"),
        (result.bound <= optimum * (1 + 1e-9), "a bound above the optimum"),
        (verdict.feasible, f"a plan that breaks {verdict.broken}"),
        (math.isclose(verdict.objective or 0.0, result.objective, rel_tol=1e-8), "a wrong objective"),
    ):
        if not is_right:
            return f"{told}: {result.objective}, {result.bound} for {optimum}"
    return None


def optimum_of(document: Document) -> float | None:
    found = slot_optimum(document)
    return None if found is None else found.objective


def wrong(documents: dict[int, Document]) -> dict[int, str]:
    told = {seed: judged(document, optimum_of(document)) for seed, document in documents.items()}
    return {seed: text for seed, text in told.items() if text is not None}


@pytest.mark.parametrize("seeds", chunks(10, commit=50, large=2_000), ids=str)
def test_a_small_slot_is_solved_to_the_optimum_of_the_enumeration(seeds: range) -> None:
    assert wrong({seed: random_document(seed, *SMALL) for seed in seeds}) == {}


@pytest.mark.parametrize("seeds", chunks(2, commit=6, large=200), ids=str)
def test_a_larger_slot_is_solved_to_the_optimum_of_the_enumeration(seeds: range) -> None:
    assert wrong({seed: random_document(100 + seed, 2, 4, 6, 8) for seed in seeds}) == {}


@pytest.mark.parametrize(
    "shape", [(1, 5, 5, 2), (3, 2, 3, 3), (1, 1, 4, 6), (4, 1, 1, 3), (2, 3, 1, 5), (1, 4, 4, 1)], ids=str
)
@pytest.mark.parametrize("seeds", chunks(3, commit=3, large=60), ids=str)
def test_slots_of_other_shapes_are_solved_to_the_optimum(seeds: range, shape: tuple[int, ...]) -> None:
    assert wrong({seed: random_document(200 + seed, *shape) for seed in seeds}) == {}


@pytest.mark.parametrize("seeds", chunks(5, commit=20, large=500), ids=str)
def test_a_cluster_of_unequal_devices_is_solved_to_the_optimum(seeds: range) -> None:
    assert wrong({seed: unequal_document(seed, 4, 5, 2) for seed in seeds}) == {}


@pytest.mark.parametrize("seeds", chunks(1, commit=3, large=40), ids=str)
def test_a_cluster_of_many_unequal_devices_is_solved_to_the_optimum(seeds: range) -> None:
    assert wrong({seed: unequal_document(seed, 5, 7, 1) for seed in seeds}) == {}


@pytest.mark.parametrize("seeds", chunks(5, commit=5, large=50), ids=str)
def test_enumeration_leaves_nothing_out(seeds: range) -> None:
    """The judge's own shortcut, once more without it."""
    for seed in seeds:
        document = random_document(seed, 2, 2, 3, 2)
        every, some = every_optimum(document), slot_optimum(document)
        assert (every is None) == (some is None), seed
        if every is not None and some is not None:
            assert math.isclose(every.objective, some.objective, rel_tol=1e-9), seed


def infeasible_documents(shape: tuple[int, ...], first_seed: int) -> Iterator[Document]:
    for seed in itertools.count(first_seed):
        document = random_document(seed, *shape)
        if not is_feasible(document):
            yield document


def with_limit(document: Document, conflict: Conflict, value: float | str | None) -> Document:
    """Return a copy with the limit of a conflict set to a value."""
    changed = copy.deepcopy(document)
    *parents, last = conflict.pointer.split("/")[1:]
    home = changed
    for part in parents:
        home = home[int(part)] if isinstance(home, list) else home[part]
    home[last] = value
    return changed


@pytest.mark.parametrize("batch", range(cases(commit=5, large=100)))
def test_conflicts_of_an_infeasible_slot_are_needed_and_mend_it_as_they_say(batch: int) -> None:
    shape = [SMALL, (1, 3, 4, 4), (2, 4, 6, 8), (3, 2, 3, 2), (1, 1, 3, 3)][batch % 5]
    for document in itertools.islice(infeasible_documents(shape, 10_000 * batch), 10):
        result = solved(document)
        assert (result.status, result.stop) == (Status.INFEASIBLE, Stop.PROOF), document["name"]
        assert result.plan is result.objective is None
        assert result.conflicts, document["name"]
        told = {conflict.pointer for conflict in result.conflicts}
        assert len(told) == len(result.conflicts)
        for conflict in result.conflicts:
            assert conflict.restores, (document["name"], conflict)
            assert isinstance(conflict.change_to, int)
            assert conflict.need == conflict.change_to
            assert is_feasible(with_limit(document, conflict, conflict.change_to)), (
                document["name"],
                conflict,
            )
            assert not is_feasible(with_limit(document, conflict, conflict.change_to - 1)), (
                document["name"],
                conflict,
            )
        for n, cluster in enumerate(document["clusters"]):
            for i, device in enumerate(cluster["devices"]):
                place = f"/clusters/{n}/devices/{i}/memory_bytes"
                limit = Conflict(pointer=place, need=None, have=device["memory_bytes"])
                if place in told:
                    (named,) = [each for each in result.conflicts if each.pointer == place]
                    assert named.have == device["memory_bytes"]
                else:
                    assert not is_feasible(with_limit(document, limit, 2**52)), (document["name"], place)


@pytest.mark.parametrize("batch", range(cases(commit=2, large=20)))
def test_the_changed_instance_is_solved_once_a_conflict_is_mended(batch: int) -> None:
    for document in itertools.islice(infeasible_documents(SMALL, 500_000 + 10_000 * batch), 5):
        for conflict in solved(document).conflicts:
            mended = solved(with_limit(document, conflict, conflict.change_to))
            assert mended.status is Status.OPTIMAL, (document["name"], conflict)


def starved(document: Document, *clusters: int) -> Document:
    """Return a copy in which each of these clusters is a byte short of holding a block anywhere."""
    changed = copy.deepcopy(document)
    for n in clusters:
        for device in changed["clusters"][n]["devices"]:
            device["memory_bytes"] = 1
    for layer in changed["model"]["layers"]:
        layer["parameters"] = 1000
    return changed


def test_with_two_clusters_short_of_memory_no_single_change_is_said_to_restore_the_instance() -> None:
    document = starved(random_document(0, *SMALL), 0, 1)
    result = solved(document)
    assert result.status is Status.INFEASIBLE
    for conflict in result.conflicts:
        mends = conflict.change_to is not None and is_feasible(
            with_limit(document, conflict, conflict.change_to)
        )
        assert conflict.restores <= mends, conflict


def talking(document: Document) -> Document:
    """Return a copy whose every block sends bits and has parameters."""
    changed = copy.deepcopy(document)
    for layer in changed["model"]["layers"]:
        layer["output_bytes"], layer["parameters"] = 1000, 1000
    for cluster in changed["clusters"]:
        for device in cluster["devices"]:
            device["memory_bytes"] = 2**40
    return changed


@pytest.mark.parametrize("pointer", ["/uplink_bandwidth_hz", "/clusters/1/uplink_max_power_w"])
def test_an_upload_without_band_or_power_is_named(pointer: str) -> None:
    document = talking(random_document(1, *SMALL))
    limit = Conflict(pointer=pointer, need=None, have=0.0)
    result = solved(with_limit(document, limit, 0.0))
    assert result.status is Status.INFEASIBLE, result.detail
    assert [(conflict.pointer, conflict.have) for conflict in result.conflicts] == [(pointer, 0.0)]


def test_devices_that_cannot_send_are_named_beside_memories_too_small_for_all_blocks() -> None:
    """With a band the memories would do: without it in the set they do not conflict."""
    document = talking(random_document(1, 1, 3, 4, 2))
    document["clusters"][0]["node_order"] = "free"
    need = [48_000 + 100_000_000] * 3
    for device, memory in zip(document["clusters"][0]["devices"], need, strict=True):
        device["memory_bytes"] = memory
    for layer in document["model"]["layers"]:
        layer["saved_bytes"] = 50_000_000 // document["training"]["micro_batch_size"]
    assert solved(document).status is Status.OPTIMAL
    document["clusters"][0]["d2d_bandwidth_hz"] = 0.0
    result = solved(document)
    assert result.status is Status.INFEASIBLE
    assert "/clusters/0/d2d_bandwidth_hz" in {conflict.pointer for conflict in result.conflicts}


@pytest.mark.parametrize("member", ["d2d_bandwidth_hz", "max_power_w"])
def test_devices_that_cannot_send_are_left_alone_where_one_holds_all_blocks(member: str) -> None:
    document = talking(random_document(1, 1, 3, 4, 2))
    cluster = document["clusters"][0]
    for home in [cluster] if member == "d2d_bandwidth_hz" else cluster["devices"]:
        home[member] = 0.0
    result = solved(document)
    assert result.status is Status.OPTIMAL, result.detail
    assert result.plan is not None
    assert len(result.plan["slots"][0]["clusters"][0]["stages"]) == 1


def test_without_any_bits_neither_band_nor_power_is_needed() -> None:
    document = random_document(1, *SMALL)
    for layer in document["model"]["layers"]:
        layer["output_bytes"] = layer["parameters"] = 0
    for cluster in document["clusters"]:
        cluster["d2d_bandwidth_hz"] = cluster["uplink_max_power_w"] = 0.0
        for device in cluster["devices"]:
            device["max_power_w"], device["memory_bytes"] = 0.0, 2**40
    document["uplink_bandwidth_hz"] = 0.0
    result = solved(document)
    assert result.status is Status.OPTIMAL, result.detail
    assert evaluate(document, result.plan or {}).feasible
