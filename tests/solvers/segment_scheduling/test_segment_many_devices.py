"""Clusters of many devices whose memories differ: whether the encoder fits at all is decided."""

from __future__ import annotations

import itertools
import random

import pytest
from independent.segment_evaluator import Document, evaluate
from judged_slots import problem_of, unequal_document
from tier import cases

import edgeplan
from edgeplan.models.result import Status


def tight_document(seed: int, devices: int, blocks: int, room: float) -> Document:
    """Return a cluster whose devices, in some order, fit runs of unequal blocks; `room` of 1 fits exactly."""
    rng = random.Random(f"tight {seed}")
    document = unequal_document(seed, devices, blocks, 1)
    sizes = [rng.randint(10**7, 10**8) for _ in range(blocks)]
    for layer, size in zip(document["model"]["layers"], sizes, strict=True):
        layer["parameters"], layer["saved_bytes"] = size // 16, 0
    cuts = [0, *sorted(rng.sample(range(1, blocks), devices - 1)), blocks]
    runs = [sum(sizes[start:end]) for start, end in itertools.pairwise(cuts)]
    rng.shuffle(runs)
    for device, run in zip(document["clusters"][0]["devices"], runs, strict=True):
        device["memory_bytes"] = round(run * room)
    return document


@pytest.mark.parametrize("devices", [12, 20])
@pytest.mark.parametrize("seed", range(cases(commit=2, large=20)))
def test_a_cluster_that_just_fits_gets_a_plan(devices: int, seed: int) -> None:
    document = tight_document(seed, devices, 2 * devices, 1.1)
    result = edgeplan.solve(problem_of(document), time_limit_s=20.0, gap=0.5)
    assert result.plan is not None, result.detail
    assert evaluate(document, result.plan).feasible


@pytest.mark.parametrize("seed", range(cases(commit=2, large=20)))
def test_a_cluster_with_too_little_memory_in_all_is_infeasible(seed: int) -> None:
    document = tight_document(seed, 18, 36, 0.97)
    result = edgeplan.solve(problem_of(document), time_limit_s=20.0)
    assert (result.status, result.plan) == (Status.INFEASIBLE, None)
    assert len(result.conflicts) == 18
