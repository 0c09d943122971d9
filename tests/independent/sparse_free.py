"""Free collectives by enumeration: each slice's all-reduce is any set that holds all who update it."""

from __future__ import annotations

import itertools
import math

from independent.sparse_evaluator import Document, SparseCase, joint_broken
from independent.sparse_instances import choices


def least_seconds(case: SparseCase, entries: list[Document]) -> float:
    """The least aggregation with one all-reduce, and one broadcast to the rest, for every set in use.

    With a flat broadcast between equal pairs no other collectives are better.
    """
    num_bytes: dict[frozenset[str], float] = {}
    for part, group in case.groups(entries).items():
        key = frozenset(group)
        num_bytes[key] = num_bytes.get(key, 0.0) + case.buffer_bytes([part])
    sets = [
        frozenset(some) for r in range(1, len(case.ids) + 1) for some in itertools.combinations(case.ids, r)
    ]
    holding = [[one for one in sets if key <= one] for key in num_bytes]
    return min(_seconds(case, num_bytes, sets) for sets in itertools.product(*holding))


def _seconds(
    case: SparseCase, num_bytes: dict[frozenset[str], float], sets: tuple[frozenset[str], ...]
) -> float:
    buffers: dict[frozenset[str], float] = {}
    for size, one in zip(num_bytes.values(), sets, strict=True):
        buffers[one] = buffers.get(one, 0.0) + size
    seconds = 0.0
    for one, size in buffers.items():
        outside = [key for key in case.ids if key not in one]
        if len(one) > 1:
            seconds += case.all_reduce_s(sorted(one), size)
        if outside:
            seconds += min(case.broadcast_s(root, outside, size) for root in one)
    return seconds


def best_objective(document: Document, most_plans: int = 30_000) -> float | None:
    """Return the best objective with free collectives; None where there is no plan."""
    case = SparseCase(document)
    every = [choices(case, key) for key in case.ids]
    if math.prod(map(len, every)) > most_plans:
        raise ValueError("too many plans: take fewer layers, devices or options")
    weights, best = document["objective"], None
    known: dict[object, float] = {}
    for combination in itertools.product(*every):
        entries = list(combination)
        gains = [case.device[e["id"]].get("weight", 1.0) * case.contribution(e) for e in entries]
        brought = weights["contribution"] * math.fsum(gains)
        if (best is not None and brought <= best) or joint_broken(case, entries):
            continue
        key = frozenset(case.groups(entries).items())
        if key not in known:
            known[key] = least_seconds(case, entries)
        value = brought - weights["aggregation_s"] * known[key]
        best = value if best is None else max(best, value)
    return best
