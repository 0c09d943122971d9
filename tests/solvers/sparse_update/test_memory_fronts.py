"""Fronts of memory and value hold, for every depth and memory, what enumeration finds the best."""

from __future__ import annotations

import itertools
import random

import pytest
from tier import chunks

from edgeplan.solvers.sparse_update.memory_fronts import chosen, memory_fronts

Layers = list[list[tuple[int, float]]]


def drawn(seed: int) -> Layers:
    """Layers with options that tie, weigh nothing or bring nothing, among others."""
    rng = random.Random(seed)
    return [
        [(rng.randrange(8), rng.choice([0.0, 0.5, rng.random(), 1.0])) for _ in range(rng.randrange(4))]
        for _ in range(rng.randrange(1, 6))
    ]


def enumerated(layers: Layers, depth: int, memory_bytes: int) -> float:
    """The most that any choice on the last layers brings within a memory."""
    last = layers[len(layers) - depth :]
    choices = itertools.product(*([(0, 0.0), *options] for options in last))
    return max(
        sum(value for _, value in choice)
        for choice in choices
        if sum(memory for memory, _ in choice) <= memory_bytes
    )


@pytest.mark.parametrize("seeds", chunks(50, commit=100, large=2_000), ids=str)
def test_every_depth_and_memory_has_its_best_choice(seeds: range) -> None:
    for seed in seeds:
        layers = drawn(seed)
        fronts = memory_fronts(layers, 20)
        for depth, memory_bytes in itertools.product(range(len(layers) + 1), range(0, 21, 3)):
            front = fronts[depth]
            index = front.best_within(memory_bytes)
            assert front.value[index] == pytest.approx(enumerated(layers, depth, memory_bytes)), seed
            options = chosen(fronts, depth, index)
            taken = [layers[len(layers) - 1 - back][option] for back, option in options.items()]
            assert sum(memory for memory, _ in taken) == front.memory_bytes[index] <= memory_bytes
            assert sum(value for _, value in taken) == pytest.approx(front.value[index])


def test_a_front_rises_in_both() -> None:
    for front in memory_fronts(drawn(3), 30):
        assert (front.memory_bytes[1:] > front.memory_bytes[:-1]).all()
        assert (front.value[1:] > front.value[:-1]).all()
