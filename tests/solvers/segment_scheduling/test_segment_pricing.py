"""Pricing names the cheapest structure of a cluster, and lists those below a cutoff and no others."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from functools import cached_property

import pytest
from independent.segment_evaluator import Document
from independent.segment_instances import random_document
from judged_slots import SMALL, every_structure, problem_of, slot_of, unequal_document
from tier import chunks

from edgeplan.solvers.segment_scheduling.candidates import Candidates
from edgeplan.solvers.segment_scheduling.pricing import ClusterPrices, Priced, bound_cluster, price_cluster
from edgeplan.solvers.segment_scheduling.slot_arrays import InstanceArrays, Prices, SlotArrays, Structure

FAR = 1e15  # a cutoff that cuts nothing off
MUCH_WORK = 10_000_000
CLOSE = 1e-7  # of the values, to which programmes are solved


@dataclass(frozen=True)
class Given:
    """A cluster of a slot with prices, and what each of its structures costs."""

    slot: SlotArrays
    cluster: int
    prices: ClusterPrices
    structures: list[Structure]

    @cached_property
    def values(self) -> dict[Structure, float]:
        return {structure: value_of(self, structure) for structure in self.structures}

    @property
    def least(self) -> float:
        return min(self.values.values())

    @property
    def every(self) -> range:
        return range(1, self.slot.instance.problem.instance.training.max_micro_batches + 1)

    def price(self, *, cutoff: float = FAR, work: int = MUCH_WORK, **options: object) -> Priced:
        chosen = options.pop("micro_batches", self.every)
        return price_cluster(  # type: ignore[arg-type]
            self.slot, self.cluster, self.prices, chosen, cutoff=cutoff, work=work, **options
        )


def value_of(priced: Given, structure: Structure) -> float:
    _, column = Candidates(priced.slot, priced.cluster, (structure,)).settle(0, priced.prices)
    return math.inf if column is None else column.price(priced.prices)


def drawn(seed: int, document: Document | None = None) -> Given:
    """Return a cluster of a random instance with random prices, at times with the whole band for none."""
    rng = random.Random(f"segment pricing {seed}")
    given = random_document(seed, *SMALL) if document is None else document
    slot, n = slot_of(given), rng.randrange(len(given["clusters"]))
    second = slot.prices.second * 10 ** rng.uniform(-3, 0)
    hertz = second / given["uplink_bandwidth_hz"] * 10 ** rng.uniform(-2, 2) * (rng.random() < 0.75)
    return Given(slot, n, ClusterPrices(second, hertz), every_structure(given, n))


@pytest.mark.parametrize("seeds", chunks(25, commit=100, large=4_000), ids=str)
def test_the_structure_named_is_the_cheapest_of_all(seeds: range) -> None:
    for seed in seeds:
        given = drawn(seed)
        priced = given.price()
        if not given.structures:
            assert (priced.structures, priced.bound) == ((), FAR), seed
            continue
        assert math.isclose(given.values[priced.structures[0]], given.least, rel_tol=CLOSE), seed
        assert given.least * (1 - 1e-6) <= priced.least <= given.least * (1 + 1e-8), seed


@pytest.mark.parametrize("seeds", chunks(3, commit=9, large=300), ids=str)
def test_the_structure_named_is_the_cheapest_where_devices_differ_much(seeds: range) -> None:
    for seed in seeds:
        given = drawn(seed, unequal_document(seed, 5, 6, 2))
        if not given.structures:
            continue
        priced = given.price()
        assert math.isclose(given.values[priced.structures[0]], given.least, rel_tol=CLOSE), seed
        assert given.least * (1 - 1e-6) <= priced.least <= given.least * (1 + 1e-8), seed


@pytest.mark.parametrize(
    ("devices", "blocks", "seeds"),
    [
        *((5, 8, seeds) for seeds in chunks(40, commit=120, large=4_000)),
        *((7, 12, seeds) for seeds in chunks(6, commit=12, large=400)),
    ],
    ids=str,
)
def test_the_list_holds_nothing_cheaper_than_what_is_named(devices: int, blocks: int, seeds: range) -> None:
    """The two ways of searching keep different labels, so each judges the other."""
    for seed in seeds:
        slot = slot_of(unequal_document(seed, devices, blocks, 8))
        given = Given(slot, 0, ClusterPrices(10.0, 1e-7), [])
        priced = given.price()
        if not priced.structures:
            continue
        value = value_of(given, priced.structures[0])
        assert value * (1 - 1e-6) <= priced.least <= value * (1 + 1e-8), seed
        cheaper = given.price(cutoff=value * (1 - CLOSE), most=5)
        assert not cheaper.structures, (seed, priced.structures[0], cheaper.structures[0])


@pytest.mark.parametrize("seeds", chunks(25, commit=100, large=4_000), ids=str)
def test_the_list_holds_exactly_what_costs_less_than_the_cutoff(seeds: range) -> None:
    listed = 0
    for seed in seeds:
        given = drawn(seed)
        if not given.structures:
            continue
        cutoff = given.least * random.Random(seed).choice([1.001, 1.01, 1.1, 1.5, 3.0])
        priced = given.price(cutoff=cutoff, most=len(given.structures) + 1)
        below = {one for one, value in given.values.items() if value < cutoff * (1 - CLOSE)}
        above = {one for one, value in given.values.items() if value > cutoff * (1 + CLOSE)}
        assert below <= {*priced.structures} <= given.values.keys() - above, seed
        assert len({*priced.structures}) == len(priced.structures), seed
        assert math.isclose(priced.bound, cutoff, rel_tol=1e-12), seed
        assert [*priced.bounds] == sorted(priced.bounds), seed
        for structure, bound in zip(priced.structures, priced.bounds, strict=True):
            value = given.values[structure]
            assert value * (1 - 1e-6) <= bound <= value * (1 + 1e-8), (seed, structure)
        listed += len(priced.structures)
    assert listed > len(seeds)


@pytest.mark.parametrize(
    "limit", [{"most": 3}, {"most": 50, "work": 1_000}, {"most": 50, "work": 10_000}], ids=str
)
@pytest.mark.parametrize("seeds", chunks(20, commit=40, large=1_000), ids=str)
def test_a_list_that_was_cut_short_says_what_the_rest_costs_at_least(
    seeds: range, limit: dict[str, int]
) -> None:
    for seed in seeds:
        given = drawn(seed)
        priced = given.price(cutoff=FAR, **limit)
        rest = [value for one, value in given.values.items() if one not in priced.structures]
        assert priced.bound <= min(rest, default=math.inf) * (1 + 1e-8), seed
        assert {*priced.structures} <= given.values.keys(), seed


@pytest.mark.parametrize("work", [1, 1_000, 10_000])
@pytest.mark.parametrize("seeds", chunks(20, commit=40, large=1_000), ids=str)
def test_with_little_work_the_bound_still_holds(seeds: range, work: int) -> None:
    for seed in seeds:
        given = drawn(seed)
        if given.structures:
            assert given.price(work=work).least <= given.least * (1 + 1e-8), seed


@pytest.mark.parametrize("seeds", chunks(25, commit=50, large=2_000), ids=str)
def test_below_the_least_cost_nothing_is_listed_and_that_is_the_bound(seeds: range) -> None:
    for seed in seeds:
        given = drawn(seed)
        if not given.structures:
            continue
        cutoff = given.least * 0.999
        listed, named = given.price(cutoff=cutoff, most=10), given.price(cutoff=cutoff)
        assert not listed.structures, seed
        assert math.isclose(listed.bound, cutoff, rel_tol=1e-12), seed
        assert math.isclose(named.bound, cutoff, rel_tol=1e-12), seed
        for structure in named.structures:  # what was met on the way may be told
            assert given.values[structure] >= given.least, seed


@pytest.mark.parametrize("seeds", chunks(25, commit=50, large=2_000), ids=str)
def test_only_the_micro_batches_asked_for_are_looked_at(seeds: range) -> None:
    for seed in seeds:
        given, rng = drawn(seed), random.Random(seed)
        first = rng.randint(1, 4)
        chosen = range(first, rng.randint(first, 4) + 1)
        values = [value for one, value in given.values.items() if one.micro_batches in chosen]
        priced = given.price(micro_batches=chosen)
        if not values:
            assert not priced.structures, seed
            continue
        assert priced.structures[0].micro_batches in chosen, seed
        assert math.isclose(given.values[priced.structures[0]], min(values), rel_tol=CLOSE), seed


@pytest.mark.parametrize("in_flight", ["1f1b", "gpipe"])
@pytest.mark.parametrize("seeds", chunks(20, commit=60, large=2_000), ids=str)
def test_what_micro_batches_earn_is_taken_off_their_cost(seeds: range, in_flight: str) -> None:
    """Asked again and again: what a call learns about its counts may not change what the next one says."""
    for seed in seeds:
        rng = random.Random(f"earned {seed}")
        document = random_document(seed, *SMALL) if seed % 2 else unequal_document(seed, 3, 5, 6)
        document["training"]["in_flight"] = in_flight
        given = drawn(seed, document)
        for _ in range(4):
            first = rng.choice(given.every)
            chosen = range(first, rng.randint(first, given.every[-1]) + 1)
            values = {one: value for one, value in given.values.items() if one.micro_batches in chosen}
            earned = (
                rng.choice([0.0, -1.0, 1.0]) * 10 ** rng.uniform(-2, 0.5) * min(values.values(), default=1.0)
            )
            left = {one: value - earned * one.micro_batches for one, value in values.items()}
            priced = given.price(micro_batches=chosen, earned=earned)
            if not left:
                assert not priced.structures, seed
                continue
            least, size = min(left.values()), max(values.values()) + abs(earned) * chosen[-1]
            assert math.isclose(left[priced.structures[0]], least, abs_tol=CLOSE * size), seed
            assert least - 1e-6 * size <= priced.least <= least + 1e-8 * size, seed


@pytest.mark.parametrize("seeds", chunks(25, commit=50, large=2_000), ids=str)
def test_the_quick_bounds_are_below_every_structure_of_their_micro_batches(seeds: range) -> None:
    for seed in seeds:
        given, rng = drawn(seed), random.Random(seed)
        cutoff = given.least * rng.choice([0.9, 1.2, 5.0]) if given.structures else 1.0
        bounds = bound_cluster(given.slot, given.cluster, given.prices, cutoff=cutoff)
        assert len(bounds) == len(given.every), seed
        for m, bound in zip(given.every, bounds, strict=True):
            values = [value for one, value in given.values.items() if one.micro_batches == m]
            assert bound <= min([cutoff, *values]) * (1 + 1e-9), (seed, m)


@pytest.mark.parametrize("share", [0.1, 0.01, 1e-4])
@pytest.mark.parametrize("seeds", chunks(25, commit=25, large=1_000), ids=str)
def test_within_a_tolerance_the_structure_named_is_nearly_the_cheapest(seeds: range, share: float) -> None:
    for seed in seeds:
        given = drawn(seed)
        if not given.structures:
            continue
        tolerance = share * given.least
        priced = given.price(tolerance=tolerance)
        assert priced.least <= given.least * (1 + 1e-8), seed
        assert priced.least >= given.least - tolerance * (1 + 1e-6), seed
        if priced.structures:
            assert given.values[priced.structures[0]] <= given.least + tolerance * (1 + 1e-6), seed


@pytest.mark.parametrize("seeds", chunks(25, commit=50, large=2_000), ids=str)
def test_devices_that_are_not_there_do_not_serve(seeds: range) -> None:
    for seed in seeds:
        full, rng = drawn(seed), random.Random(seed)
        problem = full.slot.instance.problem
        ids = full.slot.instance.device_ids
        there = {name for name in ids if rng.random() < 0.6}
        slot = InstanceArrays(problem).slot(full.slot.prices, next(iter(problem.gains())), there)
        devices = problem.instance.clusters[full.cluster].devices
        known = [one for one in full.structures if all(devices[k].id in there for k in one.devices)]
        given = Given(slot, full.cluster, full.prices, known)
        priced = given.price()
        assert bool(priced.structures) == bool(known), seed
        if known:
            assert math.isclose(given.values[priced.structures[0]], given.least, rel_tol=CLOSE), seed


def test_what_other_slots_were_priced_for_changes_nothing() -> None:
    document = unequal_document(0, 5, 8, 6)
    problem = problem_of(document)
    instance, gains = InstanceArrays(problem), next(iter(problem.gains()))
    names = [device["id"] for device in document["clusters"][0]["devices"]]

    def priced(instance: InstanceArrays, weights: list[float]) -> list[Priced]:
        queues = problem.initial_queues
        filled = replace(queues, energy_j={**queues.energy_j, **dict(zip(names, weights, strict=True))})
        slot = instance.slot(Prices.of_queues(problem, filled), gains, None)
        prices = ClusterPrices(1.0, 0.0)
        return [
            price_cluster(slot, 0, prices, range(m, 7), cutoff=FAR, work=4_000, most=1) for m in (1, 3, 6)
        ]

    first = priced(instance, [1.0, 0.0, 0.0, 0.0, 0.0])
    priced(instance, [0.0, 1e3, 1e3, 1e3, 1e3])
    assert priced(instance, [1.0, 0.0, 0.0, 0.0, 0.0]) == first
