"""Evolutionary search, as MCUNetV3 (NeurIPS 2022) finds its schemes: mutation, crossover, the best kept."""

from __future__ import annotations

import random
from dataclasses import dataclass

from benchmarks.rivals.sparse_update.rule import fits, planned, worth
from edgeplan.models.sparse_update import SparseUpdateInstance
from edgeplan.models.sparse_update.plan import DevicePlan

Genes = tuple[int, tuple[int, ...]]
"""Depth, and the option of every layer, -1 for none."""


@dataclass(frozen=True)
class Evolution:
    """A population that changes for some generations.

    Parameters
    ----------
    population, generations, mutation
        Size, number, and share of genes that change.
    """

    population: int = 100
    generations: int = 60
    mutation: float = 0.1
    name: str = "evolution"

    def choose(self, instance: SparseUpdateInstance, d: int) -> DevicePlan:
        """Return the best of the last generation."""
        rng = random.Random(d)
        alive = [self._random(rng, instance) for _ in range(self.population)]
        for _ in range(self.generations):
            ranked = sorted(alive, key=lambda genes: -self._fitness(instance, d, genes))
            parents = ranked[: self.population // 4]
            born = [self._child(rng, instance, parents) for _ in range(self.population - len(parents))]
            alive = parents + born
        return self._plan(instance, d, max(alive, key=lambda genes: self._fitness(instance, d, genes)))

    def _random(self, rng: random.Random, instance: SparseUpdateInstance) -> Genes:
        options = tuple(
            rng.randrange(len(layer.options)) if layer.options and rng.random() < self.mutation else -1
            for layer in instance.layers
        )
        return rng.randrange(len(instance.layers) + 1), options

    def _child(self, rng: random.Random, instance: SparseUpdateInstance, parents: list[Genes]) -> Genes:
        (depth, one), (other_depth, other) = rng.choice(parents), rng.choice(parents)
        mixed = [rng.choice(pair) for pair in zip(one, other, strict=True)]
        for index, layer in enumerate(instance.layers):
            if layer.options and rng.random() < self.mutation / 2:
                mixed[index] = rng.randrange(-1, len(layer.options))
        step = rng.choice((-1, 0, 0, 1))
        reached = rng.choice((depth, other_depth)) + step
        return min(max(reached, 0), len(instance.layers)), tuple(mixed)

    def _plan(self, instance: SparseUpdateInstance, d: int, genes: Genes) -> DevicePlan:
        depth, options = genes
        first = len(instance.layers) - depth
        return planned(instance, d, depth, {i: k for i, k in enumerate(options) if k >= 0 and i >= first})

    def _fitness(self, instance: SparseUpdateInstance, d: int, genes: Genes) -> float:
        plan = self._plan(instance, d, genes)
        return worth(instance, d, plan) if fits(instance, d, plan) else -1.0
