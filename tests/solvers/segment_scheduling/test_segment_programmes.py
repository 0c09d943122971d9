"""Bands and powers for fixed structures are the best ones, and their multipliers certify it."""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
import math
import random
from collections.abc import Iterator, Sequence

import pytest
from independent.segment_enumeration import solve_all
from independent.segment_evaluator import Document, evaluate
from independent.segment_programme import Part, SlotProgramme
from judge_process import Judge, cvxpy_judge
from judged_slots import SMALL, feasible_documents, noise_of, slot_of, structure_of, unequal_document
from tier import cases, chunks

from edgeplan.models.segment_scheduling import SegmentPlan, SlotPlan
from edgeplan.solvers.segment_scheduling.candidates import Candidates
from edgeplan.solvers.segment_scheduling.kernel.library import kernel
from edgeplan.solvers.segment_scheduling.pricing import ClusterPrices
from edgeplan.solvers.segment_scheduling.slot_arrays import SlotArrays, Structure
from edgeplan.solvers.segment_scheduling.together import Together, cluster_plans, solve_together

Choice = tuple[Part, ...]
SHAPES = (SMALL, (2, 2, 3, 3), (1, 4, 5, 6), (3, 2, 2, 2), (3, 2, 3, 4), (2, 2, 2, 2), (2, 1, 2, 3))


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    if importlib.util.find_spec("cvxpy") is None:
        pytest.skip("cvxpy, the judge of the programmes, is not installed")
    with cvxpy_judge() as found:
        yield found


def drawn(seed: int, count: int) -> tuple[Document, list[Choice]]:
    """Return an instance and some choices of a structure for each cluster."""
    rng = random.Random(f"segment programme {seed}")
    shape = SHAPES[seed % len(SHAPES)]
    document = next(feasible_documents(*shape, first_seed=1000 * seed))
    parts = SlotProgramme(document).parts
    return document, [tuple(rng.choice(some) for some in parts) for _ in range(count)]


def structures_of(document: Document, parts: Choice) -> dict[int, Structure]:
    clusters = document["clusters"]
    return {n: structure_of(clusters[n], part.structure) for n, part in enumerate(parts)}


def solved(slot: SlotArrays, document: Document, parts: Choice) -> Together:
    found = solve_together(slot, structures_of(document, parts), noise_of(slot))
    assert found is not None
    return found


def certified(slot: SlotArrays, found: Together) -> float:
    """What the multipliers prove: each cluster's least cost at their prices, the band returned."""
    costs = [
        kernel().certified_cost(
            ctypes.byref(found.programmes[n]), ctypes.byref(found.solved[n]), found.second[n], found.hertz
        )
        for n in found.structures
    ]
    band_hz = slot.instance.problem.instance.uplink_bandwidth_hz
    return sum(costs) - found.hertz * band_hz + noise_of(slot).cost(found.micro_batches)


@pytest.mark.parametrize("seed", range(cases(commit=12, large=150)))
def test_the_objective_is_that_of_cvxpy(judge: Judge, seed: int) -> None:
    document, choices = drawn(seed, 3)
    slot = slot_of(document)
    for parts, wanted in zip(choices, judge.values(document, choices), strict=True):
        found = solved(slot, document, parts)
        assert math.isclose(found.objective, wanted, rel_tol=1e-6), structures_of(document, parts)


@pytest.mark.parametrize("seeds", chunks(50, commit=200, large=10_000), ids=str)
def test_the_objective_is_that_of_newton_s_method(seeds: range) -> None:
    for seed in seeds:
        document, choices = drawn(seed, 8)
        slot = slot_of(document)
        for parts, wanted in zip(choices, newton(document, choices), strict=True):
            found = solved(slot, document, parts)
            assert math.isclose(found.objective, wanted, rel_tol=1e-8), (seed, structures_of(document, parts))


def newton(document: Document, choices: Sequence[Choice]) -> list[float]:
    return [float(one.value[0]) for one in solve_all(SlotProgramme(document), choices)]


@pytest.mark.parametrize("seeds", chunks(30, commit=60, large=3_000), ids=str)
def test_the_plan_that_is_written_keeps_every_rule_and_has_the_objective(seeds: range) -> None:
    for seed in seeds:
        document, choices = drawn(seed, 3)
        slot = slot_of(document)
        for parts in choices:
            found = solved(slot, document, parts)
            entries = tuple(cluster_plans(slot, found).values())
            plan = SegmentPlan(slots=(SlotPlan(clusters=entries),)).to_document()
            verdict = evaluate(document, plan)
            assert verdict.feasible, (seed, verdict.broken)
            assert verdict.objective is not None
            assert math.isclose(verdict.objective, found.objective, rel_tol=1e-8), seed


@pytest.mark.parametrize("seeds", chunks(30, commit=60, large=3_000), ids=str)
def test_the_multipliers_certify_the_objective(seeds: range) -> None:
    for seed in seeds:
        document, choices = drawn(seed, 3)
        slot = slot_of(document)
        for parts, optimum in zip(choices, newton(document, choices), strict=True):
            found = solved(slot, document, parts)
            bound = certified(slot, found)
            assert bound <= optimum * (1 + 1e-9), seed
            assert bound >= found.objective * (1 - 1e-6), seed


@pytest.mark.parametrize("seeds", chunks(30, commit=60, large=3_000), ids=str)
def test_prices_of_latency_sum_up_to_the_tradeoff_and_none_is_negative(seeds: range) -> None:
    for seed in seeds:
        document, choices = drawn(seed, 2)
        slot = slot_of(document)
        for parts in choices:
            found = solved(slot, document, parts)
            assert math.isclose(sum(found.second.values()), slot.prices.second, rel_tol=1e-9)
            assert min(*found.second.values(), found.hertz) >= 0
            assert found.latency_s == max(entry.latency_s for entry in found.solved.values())


@pytest.mark.parametrize("seeds", chunks(20, commit=40, large=2_000), ids=str)
def test_a_single_cluster_for_prices_is_solved_and_certified(seeds: range) -> None:
    """The judge keeps to the uplink's band, which a price alone does not: there it is above."""
    compared = 0
    for seed in seeds:
        rng = random.Random(f"single {seed}")
        document, choices = drawn(seed, 3)
        slot, programme = slot_of(document), SlotProgramme(document)
        n, limit_hz = rng.randrange(len(document["clusters"])), document["uplink_bandwidth_hz"]
        second = slot.prices.second * 10 ** rng.uniform(-3, 0)
        prices = ClusterPrices(second, second / limit_hz * 10 ** rng.uniform(-1, 2))
        singles = [(parts[n],) for parts in choices]
        judged = solve_all(programme, singles, cluster=n, tradeoff=second, band_price=prices.hertz)
        for (part,), one in zip(singles, judged, strict=True):
            structure = structure_of(document["clusters"][n], part.structure)
            bound, column = Candidates(slot, n, (structure,)).settle(0, prices)
            value = one.value[0] - programme.noise_cost(part.structure.micro_batches)
            assert column is not None
            paid, scale = column.price(prices), one.value[0]
            assert paid <= value + 1e-7 * scale, seed
            assert paid - 1e-6 * scale <= bound <= paid + 1e-8 * scale, seed
            if column.band_hz < 0.999 * limit_hz:
                assert paid >= value - 1e-7 * scale, seed
                compared += 1
    assert compared > len(seeds)


@pytest.mark.parametrize("seeds", chunks(10, commit=30, large=1_000), ids=str)
def test_no_ordinary_structure_is_given_up(seeds: range) -> None:
    """One that is given up can fail a whole slot; two stages and a single micro-batch are the hardest."""
    for seed in seeds:
        slot = slot_of(unequal_document(seed, 5, 8, 4))
        noise, rng = noise_of(slot), random.Random(seed)
        pairs = [
            Structure(1, two, (cut, 8)) for two in itertools.permutations(range(5), 2) for cut in (2, 4, 7)
        ]
        others = []
        for _ in range(20):
            stages = rng.randint(1, 5)
            cuts = sorted(rng.sample(range(1, 8), stages - 1))
            devices = tuple(rng.sample(range(5), stages))
            others.append(Structure(rng.randint(1, 4), devices, (*cuts, 8)))
        given_up = [one for one in (*pairs, *others) if solve_together(slot, {0: one}, noise) is None]
        assert not given_up, seed


def test_bits_without_a_band_to_flow_on_are_told_by_none() -> None:
    document, choices = drawn(3, 1)
    document["uplink_bandwidth_hz"] = 0.0
    for layer in document["model"]["layers"]:
        layer["output_bytes"], layer["parameters"] = 1000, 1000
    slot = slot_of(document)
    assert solve_together(slot, structures_of(document, choices[0]), noise_of(slot)) is None


def test_no_bits_at_all_leave_the_times_of_computing() -> None:
    document = next(feasible_documents(*SMALL))
    for layer in document["model"]["layers"]:
        layer["output_bytes"] = layer["parameters"] = 0
    slot, programme = slot_of(document), SlotProgramme(document)
    for parts in itertools.islice(itertools.product(*programme.parts), 0, 400, 37):
        found = solved(slot, document, parts)
        latency_s = max(part.base_s + part.repeats * part.slowest_s for part in parts)
        wanted = slot.prices.second * latency_s + programme.fixed_cost(parts)
        assert math.isclose(found.objective, wanted, rel_tol=1e-12)
