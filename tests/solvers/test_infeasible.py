"""Infeasible instances: the conflict is one, every member is needed, and what is suggested helps."""

from __future__ import annotations

import copy
from functools import lru_cache
from itertools import count, islice
from typing import Any

import pytest
from independent.evaluator import Document, brute
from random_problems import DRAWS, Judged, judged, solve
from small_instances import document, node
from tier import cases

from edgeplan.models.result import Conflict

NEUTRAL: dict[str, Any] = {"min_nodes": 1, "min_samples": 0}
MOST_BYTES = 2**53 - 1


@lru_cache(maxsize=1)
def infeasible() -> list[tuple[tuple[str, int], Judged]]:
    """Schedule, seed and case of the first random instances that have no plan."""
    return [
        ((schedule, seed), judged(seed, schedule))
        for schedule in DRAWS
        for seed in islice(
            (seed for seed in count() if judged(seed, schedule).best is None),
            cases(commit=30, large=1_000),
        )
    ]


def limit_pointers(document: Document) -> list[str]:
    """Pointers of all limits that could be lifted."""
    nodes = [
        (index, field)
        for index, node in enumerate(document["network"]["nodes"])
        for field in ("memory_bytes", "available_s")
        if node.get(field) is not None and _counts(document, node, field)
    ]
    return [
        *(f"/pin/{layer}" for layer in document.get("pin", {})),
        *(f"/forbid/{index}" for index in range(len(document.get("forbid", [])))),
        *(f"/limits/{name}" for name in document.get("limits", {})),
        *(f"/network/nodes/{index}/{field}" for index, field in nodes),
    ]


def _counts(document: Document, node: Document, field: str) -> bool:
    """A pipeline knows no windows and no server."""
    if document["schedule"] == "pipeline":
        return field == "memory_bytes"
    return bool(node["id"] != document.get("server"))


def lifted(document: Document, pointers: list[str], change: tuple[str, Any] | None = None) -> Document:
    """Return a copy without the limits at these pointers, and perhaps with another one changed."""
    result = copy.deepcopy(document)
    forbids = {int(pointer.split("/")[2]) for pointer in pointers if pointer.startswith("/forbid")}
    if forbids:
        kept = [pair for index, pair in enumerate(result["forbid"]) if index not in forbids]
        result["forbid"] = kept
    for pointer in pointers:
        _set(result, pointer, None)
    if change is not None:
        _set(result, *change)
    return result


def _set(document: Document, pointer: str, value: Any) -> None:
    """Set a limit; None lifts it."""
    section, *rest = pointer.split("/")[1:]
    if section == "pin":
        del document["pin"][rest[0]]
    elif section == "limits":
        document["limits"][rest[0]] = NEUTRAL.get(rest[0]) if value is None else value
    elif section == "network":
        home = document["network"]["nodes"][int(rest[1])]
        home[rest[2]] = MOST_BYTES if value is None and rest[2] == "memory_bytes" else value


def has_plan(document: Document) -> bool:
    return brute(document) is not None


def test_the_conflict_alone_leaves_no_plan() -> None:
    for seed, case in infeasible():
        conflict = {member.pointer for member in case.result.conflicts}
        assert conflict or not limit_pointers(case.document), seed
        others = [pointer for pointer in limit_pointers(case.document) if pointer not in conflict]
        assert not has_plan(lifted(case.document, others)), seed


def test_every_member_of_the_conflict_is_needed() -> None:
    for seed, case in infeasible():
        conflict = [member.pointer for member in case.result.conflicts]
        assert len({*conflict}) == len(conflict)
        others = [pointer for pointer in limit_pointers(case.document) if pointer not in conflict]
        for pointer in conflict:
            assert has_plan(lifted(case.document, [*others, pointer])), (seed, pointer)


def test_a_member_restores_feasibility_exactly_where_it_says_so() -> None:
    for seed, case in infeasible():
        for member in case.result.conflicts:
            assert has_plan(lifted(case.document, [member.pointer])) == member.restores, (seed, member)


def test_the_suggested_change_of_one_limit_alone_works() -> None:
    suggested = 0
    for seed, case in infeasible():
        for member in case.result.conflicts:
            if member.change_to is not None:
                suggested += 1
                assert has_plan(lifted(case.document, [], (member.pointer, member.change_to))), (seed, member)
    assert suggested > len(infeasible()) // 4


def test_no_smaller_change_of_a_whole_number_works() -> None:
    for seed, case in infeasible():
        for member in case.result.conflicts:
            step = 1 if "/min_" in member.pointer else -1
            if isinstance(member.change_to, int) and member.change_to + step != member.have:
                change = member.pointer, member.change_to + step
                assert not has_plan(lifted(case.document, [], change)), (seed, member)


def test_no_clearly_smaller_change_of_a_budget_works() -> None:
    for seed, case in infeasible():
        for member in case.result.conflicts:
            if isinstance(member.change_to, float):
                change = member.pointer, member.change_to * (1 - 1e-6) - 1e-8
                if change[1] >= 0:
                    assert not has_plan(lifted(case.document, [], change)), (seed, member)


def test_need_is_where_the_limit_agrees_with_the_other_members() -> None:
    for seed, case in infeasible():
        conflict = [member.pointer for member in case.result.conflicts]
        others = [pointer for pointer in limit_pointers(case.document) if pointer not in conflict]
        for member in case.result.conflicts:
            if member.need is not None:
                change = member.pointer, member.need
                assert has_plan(lifted(case.document, others, change)), (seed, member)


def conflicts(**members: Any) -> dict[str, Conflict]:
    return {member.pointer: member for member in solve(document(**members)).conflicts}


def test_two_contradicting_counts_are_the_conflict() -> None:
    found = conflicts(limits={"min_nodes": 3, "max_nodes": 2})
    assert {pointer: (c.need, c.have, c.change_to) for pointer, c in found.items()} == {
        "/limits/min_nodes": (2, 3, 2),
        "/limits/max_nodes": (3, 2, 3),
    }


def test_too_small_memories_ask_for_the_byte_that_is_missing() -> None:
    # one layer trained and two frozen: 4 * 20 + 16 * 10 = 240 bytes; all trained: 480
    found = conflicts(nodes=[node("p", memory_bytes=239), node("q", memory_bytes=239)])
    assert {pointer: (c.have, c.change_to) for pointer, c in found.items()} == {
        "/network/nodes/0/memory_bytes": (239, 480),
        "/network/nodes/1/memory_bytes": (239, 480),
    }


def test_a_deadline_asks_for_the_time_that_the_fastest_plan_takes() -> None:
    (found,) = conflicts(limits={"deadline_s": 7.5}).values()
    assert (found.pointer, found.need, found.have, found.change_to) == ("/limits/deadline_s", 8, 7.5, 8)


def test_a_pin_on_a_node_that_is_never_there_names_both() -> None:
    found = conflicts(nodes=[node("p", available_s=[]), node("q")], pin={"a": "p"})
    assert {*found} == {"/pin/a", "/network/nodes/0/available_s"}
    assert all(member.restores and member.change_to is None for member in found.values())


@pytest.mark.parametrize("limits", [{"min_nodes": 3}, {"min_samples": 1}])
def test_what_the_network_lacks_needs_its_own_limit_alone(limits: dict[str, int]) -> None:
    assert [*conflicts(nodes="pq", limits=limits)] == [f"/limits/{next(iter(limits))}"]


def test_with_the_server_alone_no_limit_is_to_blame() -> None:
    result = solve(document(nodes=[node("s")], transport="server", server="s"))
    assert (result.status, result.conflicts) == ("infeasible", ())
