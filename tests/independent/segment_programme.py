"""The inner programme of a slot: what is left to decide when every cluster's structure is fixed.

In the logs of a link's band, x = log w, and of its seconds per bit, y = log(1 / R), u = e^v with
v = log(ln 2) - x - y is what the specification calls u, whatever the bits. With F(v) = log((e^u - 1)/u)
a bit takes e^y seconds and (N0 ln 2 / g) e^F joules, at the power (N0 ln 2 / g) e^(F - y).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log

import numpy as np
from numpy.typing import NDArray

from independent.segment_evaluator import Document, Queues, SegmentCase, slot_figures
from independent.segment_structures import Structure, as_cluster, structures

Array = NDArray[np.float64]
LOG_LN2 = log(log(2))


@dataclass(frozen=True)
class Link:
    """A transfer over which bits flow; the cost is that of (N0 ln 2 / g) joules for every bit."""

    delay_bits: float
    repeated_bits: float
    cost: float
    log_cap: float  # log of what e^(F - y) must not exceed
    max_power_w: float


@dataclass(frozen=True)
class Part:
    """A cluster's structure in figures: T_n = base + delays + repeats * (slowest of stages and links)."""

    structure: Structure
    base_s: float
    repeats: int
    slowest_s: float
    compute_cost: float
    links: tuple[Link, ...]  # the hops that carry bits, then the uplink if it carries any
    live: tuple[bool, ...]  # of all hops and the uplink, which carry bits
    uplink: bool


class SlotProgramme:
    """A slot of an instance with the queues met there."""

    def __init__(self, document: Document, slot: int = 0, queues: Queues | None = None) -> None:
        self.case = SegmentCase(document)
        self.slot = slot
        self.queues = self.case.first_queues() if queues is None else queues
        self.weights = self.case.weights(self.queues)
        self.tradeoff: float = self.case.control["tradeoff"]
        self.uplink_hz: float = document["uplink_bandwidth_hz"]
        self.d2d_hz = [cluster["d2d_bandwidth_hz"] for cluster in self.case.clusters]

    @cached_property
    def parts(self) -> list[list[Part]]:
        """Of every cluster, all its structures."""
        clusters = enumerate(self.case.clusters)
        return [[self.part(n, one) for one in structures(self.case, cluster)] for n, cluster in clusters]

    def noise_cost(self, micro_batches: int) -> float:
        return self.weights["noise"] * self.case.noise(micro_batches)

    def part(self, cluster: int, structure: Structure) -> Part:
        case, unit, m = self.case, self.case.clusters[cluster], structure.micro_batches
        pairs = list(zip(structure.devices, structure.runs, strict=True))
        times = [case.compute_s(device, run) for device, run in pairs]
        joules = [
            case.devices[device]["compute_power_w"] * t for (device, _), t in zip(pairs, times, strict=True)
        ]
        links = [self._hop(device, run, m) for device, run in pairs[:-1]]
        links.append(self._uplink(unit, case.bits(len(case.layers) - 1), m))
        live = tuple(link.delay_bits > 0 for link in links)
        return Part(
            structure,
            unit["embedding_s"] + unit["decoder_s"] * m + sum(times),
            m - 1,
            max(times),
            m * sum(self.weights[device] * joule for (device, _), joule in zip(pairs, joules, strict=True)),
            tuple(link for link, flows in zip(links, live, strict=True) if flows),
            live,
            live[-1],
        )

    def _hop(self, device: str, run: range, m: int) -> Link:
        bits, power = self.case.bits(run[-1]), self.case.devices[device]["max_power_w"]
        return self._link(bits, bits, m * bits, device, power)

    def _uplink(self, unit: Document, bits: int, m: int) -> Link:
        once = self.case.parameter_bits()
        return self._link(bits + once, bits, m * bits + once, unit["id"], unit["uplink_max_power_w"])

    def _link(self, delay_bits: float, repeated: float, charged: float, sender: str, power: float) -> Link:
        gain = self.case.gains[sender][self.slot]
        joules = self.case.noise_density * np.log(2) / gain
        return Link(delay_bits, repeated, self.weights[sender] * charged * joules, log(power / joules), power)

    def entry(self, parts: Sequence[Part], bands: Sequence[float], powers: Sequence[float]) -> Document:
        """Return the plan's entry of this slot from the figures of the links that carry bits."""
        figures = ((float(band), float(power)) for band, power in zip(bands, powers, strict=True))
        clusters = [
            as_cluster(
                self.case,
                unit["id"],
                part.structure,
                [next(figures) if flows else (0.0, 0.0) for flows in part.live],
            )
            for unit, part in zip(self.case.clusters, parts, strict=True)
        ]
        return {"clusters": clusters}

    def objective(self, entry: Document) -> float:
        """The evaluator's word on an entry."""
        return slot_figures(self.case, self.slot, entry["clusters"], self.queues)["objective"]

    def fixed_cost(self, parts: Sequence[Part]) -> float:
        """What the structures cost whatever the bands and powers, but for the time."""
        total = sum(part.structure.micro_batches for part in parts)
        return self.noise_cost(total) + sum(part.compute_cost for part in parts)
