"""Prices bound a slot truly, and one deadline for all clusters bounds it better."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace

import numpy as np
import pytest
from independent.segment_enumeration import slot_optimum
from independent.segment_evaluator import Document
from independent.segment_instances import random_document
from judged_slots import every_structure, is_feasible, noise_of, slot_of
from tier import chunks

from edgeplan.solvers.segment_scheduling.candidates import Candidates, Column
from edgeplan.solvers.segment_scheduling.deadlines import DeadlineSearch
from edgeplan.solvers.segment_scheduling.dual_master import SlotPrices
from edgeplan.solvers.segment_scheduling.mix_pricing import MixPricing
from edgeplan.solvers.segment_scheduling.pricing_rounds import PricingRounds
from edgeplan.solvers.segment_scheduling.slot_arrays import Structure
from edgeplan.solvers.segment_scheduling.slot_search import SlotSearch
from edgeplan.solvers.segment_scheduling.together import Noise

GAP = 1e-3
MUCH_WORK = 10_000_000


def begun(seed: int, document: Document, *, noise: Noise | None = None) -> tuple[SlotSearch, SlotPrices]:
    """A slot with one plan, drawn at random and mostly bad, and its multipliers."""
    rng, slot = random.Random(f"deadlines {seed}"), slot_of(document)
    search = SlotSearch(slot, noise or noise_of(slot), GAP, math.inf)
    search.evaluate({n: rng.choice(every_structure(document, n)) for n in range(len(document["clusters"]))})
    assert search.best is not None, seed
    return search, search.prices_of(search.best)


def met(search: SlotSearch) -> dict[int, dict[Structure, Column]]:
    assert search.best is not None
    return {n: {column.structure: column} for n, column in search.columns_of(search.best).items()}


def priced(search: SlotSearch, prices: SlotPrices) -> MixPricing:
    """The mixes of the slot at prices, none of them left open."""
    assert search.best is not None
    tolerance = 1e-9 * search.best.objective
    return MixPricing(
        search.slot, search.noise, prices, met(search), tolerance, math.inf, math.inf, MUCH_WORK, None
    )


def bounds(search: SlotSearch, prices: SlotPrices) -> tuple[float, np.ndarray, float]:
    """Bounds: of prices, by cluster and micro-batches for them, and of branching on deadlines."""
    pricing = priced(search, prices)
    before = pricing.run()
    return before, pricing.least, DeadlineSearch(search, met(search), prices, pricing.least).run()


def documents(seeds: range) -> dict[int, Document]:
    drawn = {seed: random_document(seed, 3 if seed % 3 == 0 else 2, 3, 4, 4) for seed in seeds}
    return {seed: document for seed, document in drawn.items() if is_feasible(document)}


def cheapest_mix_of(search: SlotSearch, document: Document, prices: SlotPrices) -> float:
    """What the cheapest mix costs, all structures and all mixes of micro-batches tried."""
    most = document["training"]["max_micro_batches"]
    least = np.full((len(document["clusters"]), most + 1), math.inf)
    for n, costs in enumerate(least):
        structures = tuple(every_structure(document, n))
        candidates = Candidates(search.slot, n, structures)
        for k, structure in enumerate(structures):
            _, column = candidates.settle(k, prices.of(n))
            if column is not None:
                m = structure.micro_batches
                costs[m] = min(costs[m], column.price(prices.of(n)))
    mixes = itertools.product(range(1, most + 1), repeat=len(least))
    return min(
        sum(costs[m] for costs, m in zip(least, mix, strict=True)) + search.noise.cost(sum(mix))
        for mix in mixes
    )


@pytest.mark.parametrize("is_free", [False, True])
@pytest.mark.parametrize("seeds", chunks(10, commit=20, large=600), ids=str)
def test_the_bound_at_prices_is_what_the_cheapest_mix_costs(seeds: range, is_free: bool) -> None:
    """Where micro-batches cost nothing, as with an empty queue of the noise, too."""
    for seed, document in documents(seeds).items():
        noise = noise_of(slot_of(document))
        search, prices = begun(seed, document, noise=replace(noise, level=0.0) if is_free else noise)
        bound = priced(search, prices).run() + prices.hertz * search.band_hz
        assert math.isclose(bound, cheapest_mix_of(search, document, prices), rel_tol=1e-6), seed


@pytest.mark.parametrize("seeds", chunks(12, commit=24, large=1_000), ids=str)
def test_deadlines_bound_the_optimum_from_below_and_no_worse_than_their_prices(seeds: range) -> None:
    for seed, document in documents(seeds).items():
        optimum = slot_optimum(document)
        assert optimum is not None
        search, prices = begun(seed, document)
        before, least, bound = bounds(search, prices)
        assert bound <= optimum.objective * (1 + 1e-9), seed
        assert search.best is not None
        assert bound >= min(before, search.best.objective * (1 - GAP)) * (1 - 1e-9), seed
        assert search.best.objective >= optimum.objective * (1 - 1e-6), seed

        search, prices = begun(seed, document)
        nothing = np.zeros_like(least)
        assert (
            0 < DeadlineSearch(search, met(search), prices, nothing).run() <= optimum.objective * (1 + 1e-9)
        )


def test_deadlines_close_half_of_what_prices_leave_open_on_average() -> None:
    left, left_before = 0.0, 0.0
    for seed, document in documents(range(48)).items():
        optimum = slot_optimum(document)
        assert optimum is not None
        before, _, bound = bounds(*begun(seed, document))
        left += 1 - bound / optimum.objective
        left_before += 1 - before / optimum.objective
    assert left < left_before / 2


@pytest.mark.parametrize("seeds", chunks(24, commit=24, large=1_000), ids=str)
def test_prices_of_a_plan_promise_no_more_than_exchanges_attain_and_leave_none_out(seeds: range) -> None:
    better = 0
    for seed, document in documents(seeds).items():
        search, prices = begun(seed, document)
        plan = search.best
        assert plan is not None
        rounds, rng = PricingRounds(search, plan, None), random.Random(seed)
        tried: list[tuple[int, Structure]] = []
        for n in rounds.columns:  # so few that none is left out
            every = every_structure(document, n)
            for structure in rng.sample(every, min(3, len(every))):
                _, column = Candidates(search.slot, n, (structure,)).settle(0, prices.of(n))
                assert column is not None
                rounds.columns[n][structure] = column
                tried.append((n, structure))
        promised = {(n, structure): least for least, n, structure in rounds.promised(plan)}
        for n, structure in {*tried, *promised}:
            together = search.evaluate({**plan.structures, n: structure})
            assert together is not None
            least = promised.get((n, structure), plan.objective)
            assert together.objective >= least * (1 - 1e-6), (seed, n, structure)
            better += together.objective < plan.objective
    assert better > len(seeds) / 4
