"""The problem judges plans as the independent evaluator does, sound ones and corrupted ones."""

from __future__ import annotations

import copy
import itertools
import math
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from drawn_segments import drawn
from independent.segment_evaluator import Document, SegmentCase, Verdict, evaluate
from tier import chunks

from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.models.violation import Check

RULES = {  # the evaluator's names, ours
    "slots": "slots",
    "clusters": "clusters",
    "empty_stage": "stages",
    "coverage": "coverage",
    "unknown_device": "unknown_device",
    "micro_batches": "micro_batches",
    "skipped": "skipped",
    "device_once": "device_once",
    "node_order": "node_order",
    "memory": "memory",
    "d2d_bandwidth": "d2d_band",
    "max_power": "power",
    "uplink_bandwidth": "uplink_band",
    "uplink_max_power": "uplink_power",
    "positive": "sending",
}


def checked(document: Document, plan: Document) -> Check:
    problem = SegmentScheduling.from_document(copy.deepcopy(document))
    return problem.check(SegmentPlan.from_document(copy.deepcopy(plan)))


def alike(ours: Any, theirs: Any) -> bool:
    """Whether two documents have the same members and nearly the same figures."""
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(alike(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(alike, ours, theirs))
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)


def agree(check: Check, verdict: Verdict) -> bool:
    """Whether both name the same rules, and the same figures where there are any."""
    theirs = {RULES[rule] for rule in verdict.rules}
    if "sending" in theirs:  # bits that wait for ever leave no figures, nor other limits of ours
        theirs = {"sending"}
    ours = {violation.rule for violation in check.violations} - {"slot_bounds"}
    if "coverage" in theirs:  # no stage at all is a matter of coverage
        ours, theirs = ours - {"stages"}, theirs - {"stages"}
    if ours != theirs:
        return False
    if verdict.objective is None:
        return check.objective is None and check.metrics is None
    return alike(check.objective, verdict.objective) and alike(check.metrics, verdict.metrics)


@pytest.mark.parametrize("seeds", chunks(125, commit=500, large=10_000), ids=str)
def test_metrics_and_objective_of_a_sound_plan_are_those_of_the_evaluator(seeds: range) -> None:
    for seed in seeds:
        document, plan = drawn(seed)
        check = checked(document, plan)
        assert check.feasible, (seed, check.violations)
        assert agree(check, evaluate(document, plan)), seed


Found = set[tuple[str, str]]
Corruption = Callable[[random.Random, Document, Document], Found | None]


class Spot:
    """A cluster's entry in some slot of a plan, chosen at random."""

    def __init__(self, rng: random.Random, document: Document, plan: Document) -> None:
        self.slots = plan["slots"]
        self.t = rng.randrange(len(self.slots))
        self.clusters = self.slots[self.t]["clusters"]
        self.index = rng.randrange(len(self.clusters))
        self.entry = self.clusters[self.index]
        self.stages = self.entry["stages"]
        ids = [cluster["id"] for cluster in document["clusters"]]
        self.n = ids.index(self.entry["id"])
        self.cluster = document["clusters"][self.n]
        self.case = SegmentCase(document)

    @property
    def place(self) -> str:
        return f"/plan/slots/{self.t}/clusters/{self.index}"

    @property
    def limit(self) -> str:
        return f"/clusters/{self.n}"

    def place_of(self, device: str) -> tuple[str, Document]:
        ids = [each["id"] for each in self.cluster["devices"]]
        index = ids.index(device)
        return f"{self.limit}/devices/{index}", self.cluster["devices"][index]

    def sending(self) -> list[int]:
        """Stages whose hop carries bits."""
        runs = self.case.runs(self.stages)
        return [k for k, run in enumerate(runs[:-1]) if self.case.bits(run[-1])]

    @property
    def uploads(self) -> bool:
        return self.case.parameter_bits() + self.case.bits(len(self.case.layers) - 1) > 0

    def need_bytes(self, k: int) -> int:
        run = self.case.runs(self.stages)[k]
        return self.case.memory(run, len(self.stages) - k, self.entry["micro_batches"])


def block_moved(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    blocks = [name for stage in spot.stages for name in stage["layers"]]
    home, other = rng.choice(spot.stages), rng.choice(spot.stages)
    other["layers"].append(home["layers"].pop(0))
    if [name for stage in spot.stages for name in stage["layers"]] == blocks:
        return None
    return {("coverage", f"{spot.place}/stages")}


def block_dropped(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    rng.choice(spot.stages)["layers"].pop()
    return {("coverage", f"{spot.place}/stages")}


def block_doubled(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    layers = rng.choice(spot.stages)["layers"]
    layers.append(layers[0])
    return {("coverage", f"{spot.place}/stages")}


def block_unknown(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    rng.choice(spot.stages)["layers"][0] = "ghost"
    return {("coverage", f"{spot.place}/stages")}


def stage_emptied(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    k = rng.randrange(len(spot.stages))
    spot.stages[k]["layers"] = []
    return {("stages", f"{spot.place}/stages/{k}/layers"), ("coverage", f"{spot.place}/stages")}


def no_stages(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    spot.stages.clear()
    return {("coverage", f"{spot.place}/stages")}


def device_twice(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    if len(spot.stages) < 2:
        return None
    one, other = sorted(rng.sample(range(len(spot.stages)), 2))
    spot.stages[other]["device"] = spot.stages[one]["device"]
    return {("device_once", f"{spot.place}/stages/{other}/device")}


def device_unknown(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    k = rng.randrange(len(spot.stages))
    spot.stages[k]["device"] = "ghost"
    return {("unknown_device", f"{spot.place}/stages/{k}/device")}


def device_of_another_cluster(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    others = [cluster for cluster in document["clusters"] if cluster is not spot.cluster]
    if not others:
        return None
    k = rng.randrange(len(spot.stages))
    spot.stages[k]["device"] = rng.choice(rng.choice(others)["devices"])["id"]
    return {("unknown_device", f"{spot.place}/stages/{k}/device")}


def devices_swapped(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    if len(spot.stages) < 2 or spot.cluster["node_order"] == "free":
        return None
    k = rng.randrange(1, len(spot.stages))
    before, after = spot.stages[k - 1], spot.stages[k]
    before["device"], after["device"] = after["device"], before["device"]
    return {("node_order", f"{spot.place}/stages/{k}/device")}


def one_byte_over(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    k = rng.randrange(len(spot.stages))
    place, device = spot.place_of(spot.stages[k]["device"])
    need = spot.need_bytes(k)
    if need < 2:
        return None
    device["memory_bytes"] = need - 1
    return {("memory", f"{place}/memory_bytes")}


def hop_power_over(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    if not spot.sending():
        return None
    stage = spot.stages[rng.choice(spot.sending())]
    place, device = spot.place_of(stage["device"])
    stage["power_w"] = device["max_power_w"] + 1.1e-9 * max(1.0, device["max_power_w"])
    return {("power", f"{place}/max_power_w")}


def uplink_power_over(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    limit = spot.cluster["uplink_max_power_w"]
    if not spot.uploads:
        return None
    spot.entry["uplink"]["power_w"] = limit + 1.1e-9 * max(1.0, limit)
    return {("uplink_power", f"{spot.limit}/uplink_max_power_w")}


def d2d_band_over(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    hops = [spot.stages[k] for k in spot.sending()]
    if not hops:
        return None
    taken = sum(hop["bandwidth_hz"] for hop in hops)
    for hop in hops:
        hop["bandwidth_hz"] *= spot.cluster["d2d_bandwidth_hz"] * (1 + 2e-9) / taken
    return {("d2d_band", f"{spot.limit}/d2d_bandwidth_hz")}


def uplink_band_over(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    taken = sum(entry["uplink"]["bandwidth_hz"] for entry in spot.clusters)
    if not spot.uploads:
        return None
    spot.entry["uplink"]["bandwidth_hz"] += document["uplink_bandwidth_hz"] * (1 + 2e-9) - taken
    return {("uplink_band", "/uplink_bandwidth_hz")}


def too_many_micro_batches(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    spot.entry["micro_batches"] = document["training"]["max_micro_batches"] + 1
    return {("micro_batches", "/training/max_micro_batches")}


def hop_without_band(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    if not spot.sending():
        return None
    k, member = rng.choice(spot.sending()), rng.choice(["bandwidth_hz", "power_w"])
    spot.stages[k][member] = 0.0
    return {("sending", f"{spot.place}/stages/{k}/{member}")}


def uplink_without_band(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    if not spot.uploads:
        return None
    spot.entry["uplink"][rng.choice(["bandwidth_hz", "power_w"])] = 0.0
    return {("sending", f"{spot.place}/uplink")}


def cluster_missing(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    del spot.clusters[spot.index]
    return {("clusters", f"/plan/slots/{spot.t}/clusters")}


def cluster_twice(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    spot.clusters.append(copy.deepcopy(spot.entry))
    return {("clusters", f"/plan/slots/{spot.t}/clusters/{len(spot.clusters) - 1}/id")}


def cluster_unknown(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    spot.entry["id"] = "ghost"
    return {("clusters", f"{spot.place}/id"), ("clusters", f"/plan/slots/{spot.t}/clusters")}


def cluster_skipped(rng: random.Random, document: Document, plan: Document) -> Found | None:
    spot = Spot(rng, document, plan)
    spot.clusters[spot.index] = {"id": spot.entry["id"], "skipped": True}
    return {("skipped", f"{spot.place}/skipped")}


def slot_missing(rng: random.Random, document: Document, plan: Document) -> Found | None:
    if len(plan["slots"]) < 2:
        return None
    plan["slots"].pop(rng.randrange(len(plan["slots"])))
    return {("slots", "/plan/slots")}


def slot_too_many(rng: random.Random, document: Document, plan: Document) -> Found | None:
    plan["slots"].append(copy.deepcopy(rng.choice(plan["slots"])))
    return {("slots", "/plan/slots")}


def bound_missing(rng: random.Random, document: Document, plan: Document) -> Found | None:
    plan["slot_bounds"] = [0.0] * (len(plan["slots"]) + 1)
    return {("slot_bounds", "/plan/slot_bounds")}


CORRUPTIONS: tuple[Corruption, ...] = (
    block_moved,
    block_dropped,
    block_doubled,
    block_unknown,
    stage_emptied,
    no_stages,
    device_twice,
    device_unknown,
    device_of_another_cluster,
    devices_swapped,
    one_byte_over,
    hop_power_over,
    uplink_power_over,
    d2d_band_over,
    uplink_band_over,
    too_many_micro_batches,
    hop_without_band,
    uplink_without_band,
    cluster_missing,
    cluster_twice,
    cluster_unknown,
    cluster_skipped,
    slot_missing,
    slot_too_many,
    bound_missing,
)


def corrupted(seed: int) -> tuple[Document, Document, str, Found]:
    """Break one rule of a sound plan; the name of the corruption, and what must be found."""
    rng = random.Random(f"corrupt {seed}")
    kinds = [*CORRUPTIONS[seed % len(CORRUPTIONS) :], *CORRUPTIONS[: seed % len(CORRUPTIONS)]]
    for corruption, attempt in itertools.product(kinds, range(4)):
        document, plan = drawn(seed + 10_000_000 * attempt)
        planted = corruption(rng, document, plan)
        if planted is not None:
            return document, plan, corruption.__name__, planted
    raise AssertionError


@pytest.mark.parametrize("seeds", chunks(250, commit=500, large=10_000), ids=str)
def test_a_corrupted_plan_is_caught_by_name_and_pointer(seeds: range) -> None:
    kinds: Counter[str] = Counter()
    for seed in seeds:
        document, plan, kind, planted = corrupted(seed)
        check = checked(document, plan)
        found = {(violation.rule, violation.pointer) for violation in check.violations}
        assert planted <= found, (seed, kind, found)
        if kind != "bound_missing":
            assert agree(check, evaluate(document, plan)), (seed, kind, found)
        kinds[kind] += 1
    assert len(kinds) == len(CORRUPTIONS), kinds


@pytest.mark.parametrize("seeds", chunks(125, commit=250, large=2_500), ids=str)
def test_what_fills_a_limit_to_the_last_byte_hertz_and_watt_is_allowed(seeds: range) -> None:
    for seed in seeds:
        document, plan = drawn(seed)
        spot = Spot(random.Random(seed), document, plan)
        hops = [spot.stages[k] for k in spot.sending()]
        taken = sum(hop["bandwidth_hz"] for hop in hops)
        for hop in hops:
            hop["bandwidth_hz"] *= spot.cluster["d2d_bandwidth_hz"] / taken
            hop["power_w"] = spot.place_of(hop["device"])[1]["max_power_w"]
        if spot.uploads:
            spot.entry["uplink"]["power_w"] = spot.cluster["uplink_max_power_w"]
        needs: dict[str, int] = {}
        for slot in plan["slots"]:  # a device must hold its largest stage of all slots
            entry = next(each for each in slot["clusters"] if each["id"] == spot.entry["id"])
            for k, run in enumerate(spot.case.runs(entry["stages"])):
                need = spot.case.memory(run, len(entry["stages"]) - k, entry["micro_batches"])
                device = entry["stages"][k]["device"]
                needs[device] = max(1, need, needs.get(device, 0))
        for device, need in needs.items():
            spot.place_of(device)[1]["memory_bytes"] = need
        check = checked(document, plan)
        assert check.feasible, (seed, check.violations)


def test_a_cluster_without_micro_batches_is_told() -> None:
    document, plan = drawn(1)
    del plan["slots"][0]["clusters"][0]["micro_batches"]
    (violation,) = checked(document, plan).violations
    assert (violation.rule, violation.pointer) == ("micro_batches", "/plan/slots/0/clusters/0/micro_batches")


def test_need_and_have_of_a_byte_too_few_are_told() -> None:
    document, plan = drawn(1)
    spot = Spot(random.Random(1), document, plan)
    device = spot.place_of(spot.stages[0]["device"])[1]
    device["memory_bytes"] = spot.need_bytes(0) - 1
    told = [violation for violation in checked(document, plan).violations if violation.rule == "memory"]
    assert (spot.need_bytes(0), spot.need_bytes(0) - 1) in {(each.need, each.have) for each in told}
