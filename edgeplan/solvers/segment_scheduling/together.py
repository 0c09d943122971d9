"""All clusters together for fixed structures: one convex programme, its plan and its prices."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass

from edgeplan.models.segment_scheduling.plan import ClusterPlan, StagePlan, UplinkPlan
from edgeplan.solvers.segment_scheduling.candidates import programme_of
from edgeplan.solvers.segment_scheduling.kernel.library import Programme, Solved, kernel
from edgeplan.solvers.segment_scheduling.slot_arrays import SlotArrays, Structure

Structures = Mapping[int, Structure]
"""The structure of every cluster that takes part, by its index."""


@dataclass(frozen=True)
class Noise:
    """Equation (8) as a cost of the number M of all micro-batches, ``level / M``."""

    level: float
    fewest: int
    most: int

    def cost(self, micro_batches: int) -> float:
        """Cost of the noise."""
        return self.level / micro_batches

    def price(self, micro_batches: int) -> float:
        """What one more micro-batch earns: between the falls of the cost before and behind."""
        return self.level / micro_batches**2

    def least(self, price: float) -> float:
        """Least of ``cost(M) + price M`` over the whole numbers allowed."""
        if price <= 0:
            return self.cost(self.most) + price * self.most
        root = (self.level / price) ** 0.5
        nearest = (min(max(int(root) + step, self.fewest), self.most) for step in (0, 1))
        return min(self.cost(count) + price * count for count in nearest)


@dataclass(frozen=True)
class Together:
    """The best bands and powers for fixed structures.

    Parameters
    ----------
    structures
        Of every cluster that takes part.
    objective
        Slot objective, noise included.
    latency_s
        T.
    second
        Price of each cluster's latency; they sum up to that of T.
    hertz
        Price of the uplink band.
    solved
        The kernel's solution by cluster.
    """

    structures: Structures
    objective: float
    latency_s: float
    second: Mapping[int, float]
    hertz: float
    solved: Mapping[int, Solved]
    programmes: Mapping[int, Programme]

    @property
    def micro_batches(self) -> int:
        """Micro-batches of all clusters."""
        return sum(structure.micro_batches for structure in self.structures.values())


def solve_together(slot: SlotArrays, structures: Structures, noise: Noise) -> Together | None:
    """Solve the joint programme of fixed structures; None where bits cannot flow."""
    count = len(structures)
    programmes = (Programme * count)(*(programme_of(slot, n, s) for n, s in structures.items()))
    solved, hertz = (Solved * count)(), ctypes.c_double()
    if not any(programme.num_links for programme in programmes):
        _without_links(programmes, solved)
        return _told(slot, structures, noise, programmes, solved, 0.0)
    tradeoff, band = slot.prices.second, slot.instance.problem.instance.uplink_bandwidth_hz
    if not kernel().solve_programmes(
        programmes, count, tradeoff, band, 0.0, 0.0, solved, ctypes.byref(hertz)
    ):
        return None
    return _told(slot, structures, noise, programmes, solved, hertz.value)


def _without_links(programmes: ctypes.Array[Programme], solved: ctypes.Array[Solved]) -> None:
    """Where no bits flow nothing is left to decide: the slowest cluster sets T."""
    for programme, entry in zip(programmes, solved, strict=True):
        entry.latency_s = programme.fixed_s + programme.repeats * programme.busiest_s
        entry.cost = programme.fixed_cost
    max(solved, key=lambda entry: entry.latency_s).latency_price = 1.0


def _told(
    slot: SlotArrays,
    structures: Structures,
    noise: Noise,
    programmes: ctypes.Array[Programme],
    solved: ctypes.Array[Solved],
    hertz: float,
) -> Together:
    tradeoff, latency_s = slot.prices.second, max(entry.latency_s for entry in solved)
    total = sum(entry.latency_price for entry in solved)
    second = {n: tradeoff * entry.latency_price / total for n, entry in zip(structures, solved, strict=True)}
    micro_batches = sum(structure.micro_batches for structure in structures.values())
    cost = sum(entry.cost for entry in solved) + noise.cost(micro_batches)
    return Together(
        structures=dict(structures),
        objective=tradeoff * latency_s + cost,
        latency_s=latency_s,
        second=second,
        hertz=hertz,
        solved=dict(zip(structures, solved, strict=True)),
        programmes=dict(zip(structures, programmes, strict=True)),
    )


def cluster_plans(slot: SlotArrays, together: Together) -> dict[int, ClusterPlan]:
    """Write the joint solution as plans."""
    return {n: _cluster_plan(slot, together, n) for n in together.structures}


def _cluster_plan(slot: SlotArrays, together: Together, n: int) -> ClusterPlan:
    instance = slot.instance.problem.instance
    cluster, structure = instance.clusters[n], together.structures[n]
    solved, programme = together.solved[n], together.programmes[n]
    used = [programme.links[i] for i in range(programme.num_links)]
    hops = {link.stage: i for i, link in enumerate(used) if not link.is_uplink}
    names = [block.name for block in instance.model.layers]
    stages, start = [], 0
    for k, (device, end) in enumerate(zip(structure.devices, structure.ends, strict=True)):
        stage = StagePlan(device=cluster.devices[device].id, layers=tuple(names[start:end]))
        start = end
        if k == len(structure.devices) - 1:
            stages.append(stage)
            continue
        if k not in hops:  # no bits flow
            stages.append(stage.model_copy(update={"bandwidth_hz": 0.0, "power_w": 0.0}))
            continue
        sending = {"bandwidth_hz": solved.band_hz[hops[k]], "power_w": solved.power_w[hops[k]]}
        stages.append(stage.model_copy(update=sending))
    uplink = UplinkPlan(bandwidth_hz=0.0, power_w=0.0)
    if used and used[-1].is_uplink:
        i = len(used) - 1
        uplink = UplinkPlan(bandwidth_hz=solved.band_hz[i], power_w=solved.power_w[i])
    return ClusterPlan(
        id=cluster.id, micro_batches=structure.micro_batches, uplink=uplink, stages=tuple(stages)
    )
