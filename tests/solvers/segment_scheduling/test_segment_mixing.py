"""Micro-batches of many clusters are mixed exactly, and sweeps bound every mix from below."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from judged_slots import every_structure, feasible_documents, noise_of, slot_of
from tier import cases, chunks

from edgeplan.solvers.segment_scheduling.candidates import Candidates, Column
from edgeplan.solvers.segment_scheduling.mix_pricing import MixPricing
from edgeplan.solvers.segment_scheduling.mixing import cheapest_mix
from edgeplan.solvers.segment_scheduling.slot_arrays import Structure
from edgeplan.solvers.segment_scheduling.slot_search import SlotSearch
from edgeplan.solvers.segment_scheduling.together import Noise

MANY = (18, 2, 3, 3)  # clusters, devices in each, blocks, most micro-batches: enough clusters to be swept


def cost_of(costs: np.ndarray, noise: Noise, mix: tuple[int, ...]) -> float:
    return sum(float(row[m - 1]) for row, m in zip(costs, mix, strict=True)) + noise.cost(sum(mix))


@pytest.mark.parametrize("seeds", chunks(100, commit=200, large=20_000), ids=str)
def test_the_cheapest_mix_is_the_cheapest_of_all_and_costs_what_it_says(seeds: range) -> None:
    for seed in seeds:
        rng = random.Random(f"mixes {seed}")
        clusters, width, gone = rng.randint(1, 4), rng.randint(1, 5), rng.choice([0.0, 0.3, 0.8])
        costs = np.array(
            [
                [math.inf if rng.random() < gone else rng.random() for _ in range(width)]
                for _ in range(clusters)
            ]
        )
        noise = Noise(rng.choice([0.0, 0.3, 3.0, 30.0]), clusters, clusters * width)
        mixes = itertools.product(range(1, width + 1), repeat=clusters)
        least = min(cost_of(costs, noise, mix) for mix in mixes)
        found = cheapest_mix(costs, noise)
        assert math.isclose(found.bound, least, rel_tol=1e-12), seed
        if math.isfinite(least):
            assert math.isclose(cost_of(costs, noise, found.micro_batches), least, rel_tol=1e-12), seed


def swept(search: SlotSearch, worth: float | None, tolerance: float) -> tuple[float, np.ndarray]:
    """The bound of the mixes at the multipliers of the best plan, and bounds by cluster and micro-batches."""
    assert search.best is not None
    columns: dict[int, dict[Structure, Column]] = {
        n: {column.structure: column} for n, column in search.columns_of(search.best).items()
    }
    prices = search.prices_of(search.best)
    pricing = MixPricing(
        search.slot, search.noise, prices, columns, tolerance, math.inf, math.inf, worth=worth
    )
    return pricing.run() + prices.hertz * search.band_hz, pricing.least


@pytest.mark.parametrize("worth", [None, 0.0, 1e-3, 1.0, 1e3], ids=str)
def test_sweeps_bound_every_mix_whatever_a_micro_batch_is_thought_to_earn(worth: float | None) -> None:
    """In units of what it earns in the mixes that there are; a bad guess may cost time, and no truth."""
    documents = feasible_documents(*MANY)
    for seed, document in enumerate(itertools.islice(documents, cases(commit=3, large=100))):
        slot, rng = slot_of(document), random.Random(f"sweeps {seed}")
        search = SlotSearch(slot, noise_of(slot), 1e-3, math.inf)
        every = {n: tuple(every_structure(document, n)) for n in range(MANY[0])}
        search.evaluate({n: rng.choice(structures) for n, structures in every.items()})
        assert search.best is not None, seed
        prices, least = search.prices_of(search.best), np.full((MANY[0], MANY[3]), math.inf)
        for n, structures in every.items():
            candidates = Candidates(slot, n, structures)
            for k, structure in enumerate(structures):
                _, column = candidates.settle(k, prices.of(n))
                if column is not None:
                    at = n, structure.micro_batches - 1
                    least[at] = min(least[at], column.price(prices.of(n)))
        earned = search.noise.price(search.best.micro_batches)
        tolerance = 0.01 * search.best.objective
        bound, bounds = swept(search, None if worth is None else worth * earned, tolerance)
        cheapest = cheapest_mix(least, search.noise).bound
        assert bound <= cheapest * (1 + 1e-9), seed
        assert (bounds <= least * (1 + 1e-9)).all(), seed
        assert bound >= cheapest - tolerance * (1 + 1e-9), seed
