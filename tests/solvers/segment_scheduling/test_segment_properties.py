"""Rules that hold for any slot: units do not matter, nor order or names; more of anything never hurts."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from functools import cache

from hypothesis import assume, given
from hypothesis import strategies as st
from independent.segment_evaluator import Document, SegmentCase
from independent.segment_instances import random_document
from judged_slots import problem_of

import edgeplan
from edgeplan.models.result import Result, Status

SHAPES = ((2, 2, 3, 3), (1, 3, 3, 3), (2, 2, 2, 2))
SLACK = 1e-8  # relative: of bounds and objectives that rounding may let pass one another

seeds = st.integers(0, 10_000)
factors = st.floats(0.01, 100.0)
Change = Callable[[Document], None]


@cache
def _drawn(seed: int) -> Document:
    return traced(random_document(700_000 + seed, *SHAPES[seed % len(SHAPES)]))


def drawn(seed: int) -> Document:
    """Return a random instance with its gains written out; about one in eight is infeasible."""
    return copy.deepcopy(_drawn(seed))


def traced(document: Document) -> Document:
    case = SegmentCase(document)
    document["channels"] = {
        "kind": "trace",
        "d2d": {name: case.gains[name] for name in case.devices},
        "uplink": {name: case.gains[name] for name in case.units},
    }
    return document


def solved(document: Document) -> Result:
    result = edgeplan.solve(problem_of(document))
    assert result.status in (Status.OPTIMAL, Status.INFEASIBLE), result.detail
    return result


@cache
def _solved_as_drawn(seed: int) -> Result:
    return solved(drawn(seed))


def interval(result: Result) -> tuple[float, float]:
    """Where the optimum is."""
    assert result.bound is not None
    assert result.objective is not None
    return result.bound * (1 - SLACK) - 1e-12, result.objective * (1 + SLACK) + 1e-12


def assert_same(seed: int, changed: Document, factor: float = 1.0) -> None:
    """Assert that the changed instance has the optimum of the one drawn, times a factor."""
    one, other = _solved_as_drawn(seed), solved(changed)
    assert one.status is other.status
    if one.status is Status.OPTIMAL:
        (low, high), (other_low, other_high) = interval(one), interval(other)
        assert low * factor <= other_high
        assert other_low <= high * factor


def assert_no_worse(seed: int, changed: Document) -> None:
    """Assert that the changed instance's optimum is not above that of the one drawn."""
    one = _solved_as_drawn(seed)
    if one.status is Status.INFEASIBLE:
        return
    other = solved(changed)
    assert other.status is Status.OPTIMAL
    assert interval(other)[0] <= interval(one)[1]


def scale(home: Document, factor: float, *names: str) -> None:
    for name in names:
        home[name] *= factor


def devices_of(document: Document) -> list[Document]:
    return [device for cluster in document["clusters"] for device in cluster["devices"]]


# ---- units ----


@given(seeds, factors)
def test_all_times_longer_by_a_factor_at_a_price_as_much_lower_change_nothing(
    seed: int, factor: float
) -> None:
    """Slower processors, narrower bands, powers as much lower: the same energies, longer times."""
    document = drawn(seed)
    for cluster in document["clusters"]:
        scale(cluster, factor, "embedding_s", "decoder_s")
        scale(cluster, 1 / factor, "d2d_bandwidth_hz", "uplink_max_power_w")
    for device in devices_of(document):
        scale(device, factor, "overhead_s")
        scale(device, 1 / factor, "flops_per_s", "max_power_w", "compute_power_w")
    scale(document, 1 / factor, "uplink_bandwidth_hz")
    scale(document["control"], 1 / factor, "tradeoff")
    assert_same(seed, document)


@given(seeds, factors)
def test_energy_in_other_units_changes_nothing(seed: int, factor: float) -> None:
    document = drawn(seed)
    for cluster in document["clusters"]:
        scale(cluster, factor, "uplink_max_power_w", "uplink_energy_budget_j")
    for device in devices_of(document):
        scale(device, factor, "max_power_w", "compute_power_w", "energy_budget_j")
    scale(document, factor, "noise_w_per_hz")
    queues = document.get("initial_queues", {})
    scale(queues, factor, *(name for name in queues if name != "noise"))
    assert_same(seed, document)


@given(seeds, factors)
def test_gains_and_noise_that_grow_alike_change_nothing(seed: int, factor: float) -> None:
    document = drawn(seed)
    scale(document, factor, "noise_w_per_hz")
    for part in ("d2d", "uplink"):
        for gains in document["channels"][part].values():
            gains[:] = [factor * gain for gain in gains]
    assert_same(seed, document)


@given(seeds, factors)
def test_all_prices_higher_by_a_factor_make_the_objective_so(seed: int, factor: float) -> None:
    document = drawn(seed)
    scale(document["control"], factor, "tradeoff")
    queues = document.get("initial_queues", {})
    scale(queues, factor, *queues)
    assert_same(seed, document, factor)


@given(seeds, factors)
def test_gradient_noise_in_other_units_changes_nothing(seed: int, factor: float) -> None:
    document = drawn(seed)
    scale(document["control"], factor, "noise_level", "noise_budget")
    queues = document.get("initial_queues", {})
    scale(queues, factor, *(name for name in queues if name == "noise"))
    assert_same(seed, document)


@given(seeds, st.integers(2, 5))
def test_bytes_and_samples_may_be_counted_otherwise(seed: int, factor: int) -> None:
    """So many times the samples in a micro-batch, each so much smaller; noise as if they were as many."""
    document = drawn(seed)
    layers, training = document["model"]["layers"], document["training"]
    names = ("forward_flops", "input_gradient_flops", "weight_gradient_flops", "output_bytes", "saved_bytes")
    for layer in layers:
        for name in names:  # so that they can be divided
            layer[name] *= factor
    whole = copy.deepcopy(document)
    training["micro_batch_size"] *= factor
    for layer in layers:
        for name in names:
            layer[name] //= factor
    scale(document["control"], factor, "noise_level")
    one, other = solved(whole), solved(document)
    assert one.status is other.status
    if one.status is Status.OPTIMAL:
        (low, high), (other_low, other_high) = interval(one), interval(other)
        assert low <= other_high
        assert other_low <= high


# ---- order and names ----


@given(seeds, st.randoms(use_true_random=False))
def test_the_order_of_clusters_and_free_devices_does_not_matter(seed: int, rng: random.Random) -> None:
    document = drawn(seed)
    rng.shuffle(document["clusters"])
    for cluster in document["clusters"]:
        if cluster["node_order"] == "free":
            rng.shuffle(cluster["devices"])
    assert_same(seed, document)


@given(seeds)
def test_names_do_not_matter(seed: int) -> None:
    document = drawn(seed)
    new = {}
    for n, cluster in enumerate(document["clusters"]):
        new[cluster["id"]] = cluster["id"] = f"Z{n}"
        for i, device in enumerate(cluster["devices"]):
            old, device["id"] = device["id"], f"A{9 - n}{9 - i}"
            new[old] = device["id"]
    renamed = {}
    for n, cluster in enumerate(_drawn(seed)["clusters"]):
        renamed[cluster["id"]] = f"Z{n}"
    new |= renamed
    for part in ("d2d", "uplink"):
        document["channels"][part] = {new[name]: gains for name, gains in document["channels"][part].items()}
    queues = document.get("initial_queues", {})
    document["initial_queues"] = {new.get(name, name): queue for name, queue in queues.items()}
    for index, layer in enumerate(document["model"]["layers"]):
        layer["name"] = f"block {index}"
    assert_same(seed, document)


@given(seeds)
def test_a_given_order_turned_into_a_free_one_never_hurts(seed: int) -> None:
    document = drawn(seed)
    for cluster in document["clusters"]:
        cluster["node_order"] = "free"
    assert_no_worse(seed, document)


# ---- more of anything ----


def more_memory(document: Document) -> None:
    for device in devices_of(document):
        device["memory_bytes"] += device["memory_bytes"] // 2 + 1


def more_of_one_memory(document: Document) -> None:
    devices_of(document)[-1]["memory_bytes"] *= 3


def wider_d2d_bands(document: Document) -> None:
    for cluster in document["clusters"]:
        scale(cluster, 1.5, "d2d_bandwidth_hz")


def wider_uplink_band(document: Document) -> None:
    scale(document, 1.5, "uplink_bandwidth_hz")


def more_power_of_devices(document: Document) -> None:
    for device in devices_of(document):
        scale(device, 1.5, "max_power_w")


def more_power_of_uplinks(document: Document) -> None:
    for cluster in document["clusters"]:
        scale(cluster, 1.5, "uplink_max_power_w")


def better_gains(document: Document) -> None:
    for part in ("d2d", "uplink"):
        for gains in document["channels"][part].values():
            gains[:] = [1.5 * gain for gain in gains]


def faster_devices(document: Document) -> None:
    for device in devices_of(document):
        scale(device, 1.5, "flops_per_s")


def less_overhead(document: Document) -> None:
    for device in devices_of(document):
        scale(device, 0.5, "overhead_s", "compute_power_w")


def more_micro_batches(document: Document) -> None:
    document["training"]["max_micro_batches"] += 1


def fewer_bits(document: Document) -> None:
    for layer in document["model"]["layers"]:
        layer["output_bytes"] //= 2


def another_device(document: Document) -> None:
    cluster = document["clusters"][0]
    cluster["devices"].append(copy.deepcopy(cluster["devices"][0]) | {"id": "another"})
    document["channels"]["d2d"]["another"] = document["channels"]["d2d"][cluster["devices"][0]["id"]]


def shorter_queues(document: Document) -> None:
    queues = document.get("initial_queues", {})
    scale(queues, 0.5, *queues)


def cheaper_time(document: Document) -> None:
    scale(document["control"], 0.5, "tradeoff")


RELAXATIONS: tuple[Change, ...] = (
    more_memory,
    more_of_one_memory,
    wider_d2d_bands,
    wider_uplink_band,
    more_power_of_devices,
    more_power_of_uplinks,
    better_gains,
    faster_devices,
    less_overhead,
    more_micro_batches,
    fewer_bits,
    another_device,
    shorter_queues,
    cheaper_time,
)


@given(seeds, st.sampled_from(RELAXATIONS))
def test_more_of_anything_that_helps_never_worsens_the_optimum(seed: int, relax: Change) -> None:
    document = drawn(seed)
    relax(document)
    assert_no_worse(seed, document)


@given(seeds, st.floats(0.1, 0.9), st.randoms(use_true_random=False))
def test_the_optimum_is_concave_in_the_prices(seed: int, share: float, rng: random.Random) -> None:
    """A decision's cost is linear in tradeoff and queues, and the least of such costs is concave."""
    assume(_solved_as_drawn(seed).status is Status.OPTIMAL)
    one, case = drawn(seed), SegmentCase(_drawn(seed))
    other = drawn(seed)
    queues = case.first_queues()
    others = {name: budget * rng.choice([0.0, rng.random()]) for name, budget in case.budgets.items()}
    other["control"]["tradeoff"] *= rng.choice([0.2, 1.0, 5.0])
    other["initial_queues"] = others
    mixed = drawn(seed)
    mixed["control"]["tradeoff"] = (
        share * one["control"]["tradeoff"] + (1 - share) * other["control"]["tradeoff"]
    )
    mixed["initial_queues"] = {
        name: share * queues[name] + (1 - share) * others[name] for name in case.budgets
    }
    low = share * interval(_solved_as_drawn(seed))[0] + (1 - share) * interval(solved(other))[0]
    assert low <= interval(solved(mixed))[1]
