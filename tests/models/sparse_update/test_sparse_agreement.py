"""The problem judges plans as the independent evaluator does, with sound collectives and corrupted ones."""

from __future__ import annotations

import copy
import math
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from independent.sparse_evaluator import Document, canonical_collectives, evaluate
from independent.sparse_instances import random_document, random_plan
from tier import chunks

from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.models.violation import Check

_SHAPES = ((1, 1), (2, 2), (3, 3), (4, 5), (6, 3))


def drawn(seed: int) -> tuple[Document, Document]:
    """An instance and a plan for it, with the canonical collectives, corrupted ones or none listed."""
    rng = random.Random(seed)
    document = random_document(
        seed, *_SHAPES[seed % len(_SHAPES)], network=rng.random() < 0.3, free=rng.random() < 0.5
    )
    plan = random_plan(document, seed)
    if rng.random() < 0.7:
        plan["collectives"] = canonical_collectives(document, plan["devices"])
        for _ in range(rng.randrange(3)):
            rng.choice(_CORRUPTIONS)(rng, document, plan["collectives"])
    return document, plan


def drop(rng: random.Random, document: Document, collectives: list[Document]) -> None:
    if collectives:
        collectives.pop(rng.randrange(len(collectives)))


def repeat(rng: random.Random, document: Document, collectives: list[Document]) -> None:
    if collectives:
        collectives.append(copy.deepcopy(rng.choice(collectives)))


def shuffle(rng: random.Random, document: Document, collectives: list[Document]) -> None:
    rng.shuffle(collectives)


def reduce_over_all(rng: random.Random, document: Document, collectives: list[Document]) -> None:
    """One all-reduce over all devices in the place of all collectives."""
    slices = {str(part): part for one in collectives for part in one["slices"]}
    members = [device["id"] for device in document["devices"]]
    if slices and len(members) > 1:
        collectives[:] = [{"kind": "all_reduce", "members": members, "slices": list(slices.values())}]


def move_root(rng: random.Random, document: Document, collectives: list[Document]) -> None:
    found = [one for one in collectives if one["kind"] == "broadcast"]
    if found:
        one = rng.choice(found)
        one["root"] = rng.choice(one["members"])


def lose_member(rng: random.Random, document: Document, collectives: list[Document]) -> None:
    found = [one for one in collectives if len(one["members"]) > 2]
    if found:
        one = rng.choice(found)
        one["members"].remove(rng.choice([name for name in one["members"] if name != one.get("root")]))


def split(rng: random.Random, document: Document, collectives: list[Document]) -> None:
    found = [one for one in collectives if len(one["slices"]) > 1]
    if found:
        one = rng.choice(found)
        part = one["slices"].pop()
        collectives.insert(collectives.index(one), {**copy.deepcopy(one), "slices": [part]})


def repeat_slice(rng: random.Random, document: Document, collectives: list[Document]) -> None:
    if collectives:
        slices = rng.choice(collectives)["slices"]
        slices.append(dict(rng.choice(slices)))


_CORRUPTIONS: list[Callable[[random.Random, Document, list[Document]], None]] = [
    *(drop, repeat, shuffle, reduce_over_all, move_root, lose_member, split, repeat_slice)
]


def checked(document: Document, plan: Document) -> Check:
    problem = SparseUpdate.from_document(copy.deepcopy(document))
    return problem.check(SparsePlan.from_document(copy.deepcopy(plan)))


def covers(ours: Any, theirs: Any) -> bool:
    """Whether our figures have all of theirs, and nearly the same."""
    if isinstance(theirs, dict):
        return all(name in ours and covers(ours[name], value) for name, value in theirs.items())
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(covers, ours, theirs))
    if isinstance(theirs, float | int) and not isinstance(theirs, bool):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)
    return bool(ours == theirs)


@pytest.mark.parametrize("seeds", chunks(1_000, commit=1_000, large=20_000), ids=str)
def test_random_plans_are_judged_alike(seeds: range) -> None:
    met: Counter[str] = Counter()
    for seed in seeds:
        document, plan = drawn(seed)
        check, verdict = checked(document, plan), evaluate(document, plan)
        rules = {violation.rule for violation in check.violations}
        assert rules == verdict.broken, seed
        assert covers(check.metrics, verdict.metrics), seed
        assert check.objective == pytest.approx(verdict.objective, rel=1e-9, abs=1e-12), seed
        met.update(rules or {"none"})
    assert met.keys() >= {"none", "memory", "coverage", "collectives", "nested", "pin", "forbid", "depth"}


@pytest.mark.parametrize("seeds", chunks(100, commit=200, large=2_000), ids=str)
def test_canonical_collectives_listed_cost_what_they_cost_unlisted(seeds: range) -> None:
    for seed in seeds:
        document = random_document(seed, *_SHAPES[seed % len(_SHAPES)], network=seed % 3 == 0)
        problem = SparseUpdate.from_document(document)
        plan = SparsePlan.from_document(random_plan(document, seed))
        listed = plan.model_copy(update={"collectives": problem.cost(plan).collectives})
        assert SparsePlan.from_document(listed.to_document()) == listed
        assert problem.objective(listed) == problem.objective(plan)
        assert not any(violation.rule == "collectives" for violation in problem.violations(listed))
