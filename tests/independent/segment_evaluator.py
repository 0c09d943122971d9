"""What the specification says of a plan of segment_scheduling, slot by slot, in plain floats.

Written from segment_scheduling.md alone; bytes are integers and compared exactly. A plan whose structure is
broken, or that lets bits wait for ever, has no figures: its metrics are None.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from math import log2
from typing import Any

import numpy as np

Document = dict[str, Any]
Gains = dict[str, list[float]]  # of every device and every control unit, a gain per slot
Queues = dict[str, float]  # of every device and every control unit, and "noise"
NOISE = "noise"


@dataclass(frozen=True)
class Verdict:
    """Names of the broken rules, each with the place; metrics are None where there are no figures."""

    broken: tuple[tuple[str, str], ...]
    objective: float | None = None
    metrics: Document | None = None

    @property
    def rules(self) -> set[str]:
        return {rule for rule, _ in self.broken}

    @property
    def feasible(self) -> bool:
        return not self.broken


def rayleigh(channels: Document, slots: int, devices: list[str], units: list[str]) -> Gains:
    """Return the gains drawn from the seed, a column for each device, then for each cluster."""
    u = np.random.Generator(np.random.PCG64(channels["seed"])).random((slots, len(devices) + len(units)))
    fading = np.maximum(channels.get("floor", 0.05), -np.log1p(-u))
    means = [channels["d2d_gain"]] * len(devices) + [channels["uplink_gain"]] * len(units)
    return {key: (means[k] * fading[:, k]).tolist() for k, key in enumerate([*devices, *units])}


class SegmentCase:
    """An instance with the equations of the specification; layers by their index, devices by their id."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.layers: list[Document] = document["model"]["layers"]
        self.clusters: list[Document] = document["clusters"]
        self.training: Document = document["training"]
        self.control: Document = document["control"]
        self.batch: int = self.training["micro_batch_size"]
        self.noise_density: float = document["noise_w_per_hz"]
        self.devices = {device["id"]: device for cluster in self.clusters for device in cluster["devices"]}
        self.units = {cluster["id"]: cluster for cluster in self.clusters}
        self.gains = self._gains()
        budgets = [(key, device["energy_budget_j"]) for key, device in self.devices.items()]
        self.budgets = dict(
            budgets + [(key, unit["uplink_energy_budget_j"]) for key, unit in self.units.items()]
        )
        self.budgets[NOISE] = self.control["noise_budget"]

    def _gains(self) -> Gains:
        channels = self.document["channels"]
        if channels["kind"] == "trace":
            return channels["d2d"] | channels["uplink"]
        return rayleigh(channels, self.control["slots"], [*self.devices], [*self.units])

    def first_queues(self) -> Queues:
        return dict.fromkeys(self.budgets, 0.0) | self.document.get("initial_queues", {})

    def compute_s(self, device: str, run: range) -> float:
        """(1)."""
        passes = ("forward_flops", "input_gradient_flops", "weight_gradient_flops")
        flops = sum(self.layers[index][part] for index in run for part in passes)
        return self.devices[device]["overhead_s"] + self.batch * flops / self.devices[device]["flops_per_s"]

    def bits(self, last: int) -> int:
        """(2) and (3): the bits of a micro-batch behind this layer, there and back."""
        return 2 * 8 * self.batch * self.layers[last]["output_bytes"]

    def parameter_bits(self) -> int:
        """(3): what a cluster uploads at the end."""
        return 8 * self.training["weight_bytes"] * sum(layer["parameters"] for layer in self.layers)

    def memory(self, run: range, stages_from_here: int, micro_batches: int) -> int:
        """(6); the stage itself is one of `stages_from_here`, J - j + 1."""
        gpipe = self.training.get("in_flight", "1f1b") == "gpipe"
        in_flight = micro_batches if gpipe else min(micro_batches, 2 * stages_from_here)
        state = sum(self.training[part] for part in ("weight_bytes", "gradient_bytes", "optimizer_bytes"))
        parameters = sum(self.layers[index]["parameters"] for index in run)
        return state * parameters + in_flight * self.batch * sum(
            self.layers[index]["saved_bytes"] for index in run
        )

    def rate(self, band: float, power: float, gain: float) -> float:
        """The bits per second of (2) and (3)."""
        return band * log2(1 + power * gain / (self.noise_density * band))

    def noise(self, micro_batches: int) -> float:
        """(8); without any micro-batch every cluster is skipped."""
        return self.control["noise_level"] / (self.batch * max(1, micro_batches))

    def weights(self, queues: Queues) -> dict[str, float]:
        """What a joule, or a unit of G, costs in the slot's objective."""
        return {key: queues[key] / budget**2 for key, budget in self.budgets.items()}

    def after(self, queues: Queues, spent: dict[str, float]) -> Queues:
        return {key: max(0.0, queues[key] + spent[key] - self.budgets[key]) for key in queues}

    def runs(self, stages: list[Document]) -> list[range]:
        ends = [0, *itertools.accumulate(len(stage["layers"]) for stage in stages)]
        return [range(a, b) for a, b in itertools.pairwise(ends)]


def evaluate(document: Document, plan: Document) -> Verdict:
    """Judge a plan."""
    case = SegmentCase(document)
    broken = list(_structure(case, plan))
    if broken:
        return Verdict(tuple(broken))
    for slot, entry in enumerate(plan["slots"]):
        broken += _broken_in_slot(case, slot, entry["clusters"])
    if any(rule == "positive" for rule, _ in broken):
        return Verdict(tuple(broken))
    metrics = _metrics(case, plan)
    return Verdict(tuple(broken), sum(slot["objective"] for slot in metrics["slots"]), metrics)


def _structure(case: SegmentCase, plan: Document) -> Iterator[tuple[str, str]]:
    """Every slot decides every cluster, in figures that can be read."""
    names = [layer["name"] for layer in case.layers]
    if len(plan["slots"]) != case.control["slots"]:
        yield "slots", ""
    for slot, entry in enumerate(plan["slots"]):
        if sorted(cluster["id"] for cluster in entry["clusters"]) != sorted(case.units):
            yield "clusters", f"slot {slot}"
            continue
        for cluster in entry["clusters"]:
            place = f"slot {slot}, {cluster['id']}"
            if cluster.get("skipped"):
                continue
            stages = cluster["stages"]
            own = {device["id"] for device in case.units[cluster["id"]]["devices"]}
            if not stages or not all(stage["layers"] for stage in stages):
                yield "empty_stage", place
            if [name for stage in stages for name in stage["layers"]] != names:
                yield "coverage", place
            if any(stage["device"] not in own for stage in stages):
                yield "unknown_device", place
            if cluster["micro_batches"] < 1:
                yield "micro_batches", place


def _exceeds(value: float, limit: float) -> bool:
    return value > limit + 1e-9 * max(1.0, limit)


def _broken_in_slot(case: SegmentCase, slot: int, clusters: list[Document]) -> Iterator[tuple[str, str]]:
    for cluster in clusters:
        place = f"slot {slot}, {cluster['id']}"
        if cluster.get("skipped"):
            yield "skipped", place
            continue
        for rule in (
            *_broken_order(case, cluster),
            *_broken_memory(case, cluster),
            *_broken_radio(case, cluster),
        ):
            yield rule, place
    bands = [cluster["uplink"]["bandwidth_hz"] for cluster in clusters if not cluster.get("skipped")]
    if _exceeds(sum(bands), case.document["uplink_bandwidth_hz"]):
        yield "uplink_bandwidth", f"slot {slot}"


def _broken_order(case: SegmentCase, cluster: Document) -> Iterator[str]:
    unit = case.units[cluster["id"]]
    order = [device["id"] for device in unit["devices"]]
    used = [order.index(stage["device"]) for stage in cluster["stages"]]
    if len(set(used)) < len(used):
        yield "device_once"
    if unit.get("node_order", "free") == "given" and used != sorted(used):
        yield "node_order"
    if cluster["micro_batches"] > case.training["max_micro_batches"]:
        yield "micro_batches"


def _broken_memory(case: SegmentCase, cluster: Document) -> Iterator[str]:
    stages = cluster["stages"]
    for j, run in enumerate(case.runs(stages)):
        need = case.memory(run, len(stages) - j, cluster["micro_batches"])
        if need > case.devices[stages[j]["device"]]["memory_bytes"]:
            yield "memory"


def _broken_radio(case: SegmentCase, cluster: Document) -> Iterator[str]:
    """(7) but for the band of the uplink, which all clusters share."""
    unit, hops, uplink = case.units[cluster["id"]], cluster["stages"][:-1], cluster["uplink"]
    if _exceeds(sum(hop["bandwidth_hz"] for hop in hops), unit["d2d_bandwidth_hz"]):
        yield "d2d_bandwidth"
    if any(_exceeds(hop["power_w"], case.devices[hop["device"]]["max_power_w"]) for hop in hops):
        yield "max_power"
    if _exceeds(uplink["power_w"], unit["uplink_max_power_w"]):
        yield "uplink_max_power"
    flows = [case.bits(run[-1]) for run in case.runs(cluster["stages"])]
    flows[-1] += case.parameter_bits()
    for bits, link in zip(flows, [*hops, uplink], strict=True):
        least = min(link["bandwidth_hz"], link["power_w"])
        if least < 0 or (bits and not least):
            yield "positive"


def cluster_figures(case: SegmentCase, slot: int, cluster: Document) -> tuple[float, dict[str, float]]:
    """(1) to (5): T_n, and the energies of the active devices and of the control unit."""
    unit, stages, m = case.units[cluster["id"]], cluster["stages"], cluster["micro_batches"]
    energy: dict[str, float] = dict.fromkeys([stage["device"] for stage in stages], 0.0)
    times: list[float] = []
    for stage, run in zip(stages, case.runs(stages), strict=True):
        times.append(case.compute_s(stage["device"], run))
        energy[stage["device"]] += m * case.devices[stage["device"]]["compute_power_w"] * times[-1]
    for stage, run in zip(stages[:-1], case.runs(stages)[:-1], strict=True):
        seconds = _seconds(case, case.bits(run[-1]), stage, case.gains[stage["device"]][slot])
        times.append(seconds)
        energy[stage["device"]] += m * stage["power_w"] * seconds
    gain = case.gains[unit["id"]][slot]
    seconds = _seconds(case, case.bits(len(case.layers) - 1), cluster["uplink"], gain)
    upload = _seconds(case, case.parameter_bits(), cluster["uplink"], gain)
    times.append(seconds)
    energy[unit["id"]] = cluster["uplink"]["power_w"] * (m * seconds + upload)
    ends = unit["embedding_s"] + unit["decoder_s"] * m + upload
    return ends + sum(times) + (m - 1) * max(times), energy


def _seconds(case: SegmentCase, bits: int, link: Document, gain: float) -> float:
    return bits / case.rate(link["bandwidth_hz"], link["power_w"], gain) if bits else 0.0


def slot_figures(case: SegmentCase, slot: int, clusters: list[Document], queues: Queues) -> Document:
    """Return the metrics of one slot for the queues met; its queues are those after it."""
    active = [cluster for cluster in clusters if not cluster.get("skipped")]
    spent, latency = dict.fromkeys(case.budgets, 0.0), 0.0
    for cluster in active:
        seconds, energy = cluster_figures(case, slot, cluster)
        latency, spent = max(latency, seconds), spent | energy
    spent[NOISE] = case.noise(sum(cluster["micro_batches"] for cluster in active))
    weights = case.weights(queues)
    return {
        "latency_s": latency,
        "energy_j": {key: value for key, value in spent.items() if key != NOISE},
        "noise": spent[NOISE],
        "objective": case.control["tradeoff"] * latency + sum(weights[key] * spent[key] for key in spent),
        "queues": case.after(queues, spent),
    }


def _metrics(case: SegmentCase, plan: Document) -> Document:
    """`budget_violation` is the excess of the mean over the budget, as a share of the budget."""
    queues, slots = case.first_queues(), []
    for slot, entry in enumerate(plan["slots"]):
        slots.append(slot_figures(case, slot, entry["clusters"], queues))
        queues = slots[-1]["queues"]

    def mean(values: Iterator[float]) -> float:
        return sum(values) / len(slots)

    energy = {key: mean(slot["energy_j"][key] for slot in slots) for key in slots[0]["energy_j"]}
    return {
        "mean_latency_s": mean(slot["latency_s"] for slot in slots),
        "mean_energy_j": energy,
        "mean_noise": mean(slot["noise"] for slot in slots),
        "max_queue": {key: max(slot["queues"][key] for slot in slots) for key in queues},
        "budget_violation": {key: max(0.0, value / case.budgets[key] - 1) for key, value in energy.items()},
        "slots": slots,
    }
