"""Asteroid's planner for one device a stage: order by memory, dynamic programme, offload the straggler.

S. Ye et al., Asteroid: resource-efficient hybrid pipeline parallelism for collaborative DNN training on
heterogeneous edge devices, MobiCom 2024, doi:10.1145/3636534.3649363, arXiv:2408.08015. What we understood
of it, written anew:

1. Devices are sorted by memory, most first, since under 1F1B the early stages hold the most micro-batches.
2. A dynamic programme builds the pipeline from its end: the best plan that puts the last layers on
   p stages of the devices from some place of the order on, by the latency of one round: the dominant step
   times the micro-batches, and what fills and drains the pipeline. Memory is checked stage by stage with
   the micro-batches that the stage, p from the end, has in flight.
3. The paper splits a stage's samples over a group of devices and moves load from stragglers and from
   devices short of memory to the others of the group. In this problem a stage is one node. So a group is
   one device and devices may be left out, and what is moved are layers: the stage that dominates hands
   layers at its ends to its neighbours as long as the objective gains.

The paper plans for up to some ten devices; of larger clusters the programme gets 48, the fastest and the best
connected. For a serial round, which the paper does not know, the latency is the sum over the stages.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.rivals.split import Split, best_feasible
from benchmarks.rivals.stage_costs import Floats, StageCosts
from edgeplan.models.layer_assignment import LayerAssignment, Plan

_MOST_DEVICES = 48


def plan(problem: LayerAssignment, *, time_limit_s: float = 60.0) -> Plan | None:
    """Return the best plan of the programme after offloading; None where it has none."""
    until = time.monotonic() + 0.9 * time_limit_s
    costs = StageCosts(problem)
    if not costs.workers:
        return None
    splits = list(_Programme(costs, _by_memory(costs)).splits(until))
    return best_feasible(problem, [_offloaded(problem, split, until) for split in splits])


def _by_memory(costs: StageCosts) -> list[int]:
    nodes = costs.problem.instance.network.nodes
    half = _MOST_DEVICES // 2
    fastest, connected = costs.rankings()
    devices = list(dict.fromkeys([*fastest[:half], *connected[:half], *fastest]))[:_MOST_DEVICES]
    return costs.arranged(sorted(devices, key=lambda index: nodes[index].memory_bytes, reverse=True))


@dataclass(frozen=True)
class _Plans:
    """The best plans of one number of stages, by first position and first device."""

    latency_s: Floats
    rest_s: Floats
    dominant_s: Floats
    end: np.ndarray
    following: np.ndarray


@dataclass(frozen=True)
class _Programme:
    """The dynamic programme over (number of stages, first position, first device)."""

    costs: StageCosts
    devices: list[int]

    def splits(self, until: float) -> Iterator[Split]:
        """Yield the best split of every number of stages."""
        layers: list[_Plans] = []
        for _ in range(min(self.costs.most_stages, len(self.devices))):
            layers.append(self._longer(layers[-1] if layers else None, len(layers) + 1))
            first = int(layers[-1].latency_s[0].argmin())
            if np.isfinite(layers[-1].latency_s[0, first]):
                yield self._traced(layers, first)
            if time.monotonic() > until:
                return

    def _longer(self, shorter: _Plans | None, num_stages: int) -> _Plans:
        """Put one more stage before the best plans of one stage less."""
        n, num_devices = self.costs.num_positions, len(self.devices)
        shape = (n, num_devices)
        found = _Plans(*(np.full(shape, np.inf) for _ in range(3)), *(np.zeros(shape, int) for _ in range(2)))
        for place, device in enumerate(self.devices):
            seconds = np.where(self.costs.fits(device, num_stages), self.costs.seconds(device), np.inf)
            if self.costs.problem.server is not None:
                seconds = seconds + self.costs.arrival_s(None, device)
            if shorter is None:
                self._keep(found, place, seconds[:, n], seconds[:, n], n, 0)
                continue
            for later in range(place + 1, num_devices):
                self._join(found, place, seconds, shorter, later)
        return found

    def _join(self, found: _Plans, place: int, seconds: Floats, shorter: _Plans, later: int) -> None:
        """Let `place` own the first run and the shorter plan that begins on `later` the rest."""
        rest, dominant = shorter.rest_s[:, later], shorter.dominant_s[:, later]
        if not np.isfinite(rest).any():
            return
        link = self._link(place, later, shorter)
        total = seconds[:, :-1] + rest + link
        slowest = np.maximum(seconds[:, :-1], np.maximum(dominant, link))
        latency = self._latency(total, slowest)
        end = latency.argmin(axis=1)
        rows = np.arange(len(end))
        self._keep(found, place, total[rows, end], slowest[rows, end], end, later)

    def _link(self, place: int, later: int, shorter: _Plans) -> Floats:
        """Time between the two stages, by the position where the second begins."""
        if self.costs.problem.server is not None:
            return np.zeros(self.costs.num_positions)
        link = self.costs.arrival_s(self.devices[place], self.devices[later])
        if self.costs.problem.is_pipeline:
            return link[:, 0]
        return np.asarray(link[np.arange(len(link)), shorter.end[:, later]])  # bytes of its first run

    def _latency(self, total: Floats, slowest: Floats) -> Floats:
        """Latency of a round; of a steady pipeline's step where the bottleneck alone counts."""
        instance = self.costs.problem.instance
        if not self.costs.problem.is_pipeline:
            return total
        if instance.objective.bottleneck_s > 0 and instance.objective.time_s == 0:
            return slowest
        return total + (instance.micro_batches - 1) * slowest if instance.micro_batches > 1 else total

    def _keep(
        self, found: _Plans, place: int, total: Floats, slowest: Floats, end: np.ndarray | int, later: int
    ) -> None:
        latency = self._latency(total, slowest)
        better = latency < found.latency_s[:, place]
        for kept, new in (
            (found.latency_s, latency),
            (found.rest_s, total),
            (found.dominant_s, slowest),
            (found.end, np.broadcast_to(end, latency.shape)),
            (found.following, np.full(latency.shape, later)),
        ):
            kept[better, place] = new[better]

    def _traced(self, layers: list[_Plans], place: int) -> Split:
        nodes, ends, position = [], [], 0
        for layer in reversed(layers):
            nodes.append(self.devices[place])
            ends.append(int(layer.end[position, place]))
            position, place = ends[-1], int(layer.following[position, place])
        return Split(tuple(nodes), tuple(ends))


def _offloaded(problem: LayerAssignment, split: Split, until: float) -> Split:
    """Hand layers of the slowest stage to its neighbours while the objective gains."""
    best = problem.check(split.to_plan(problem))
    while best.objective is not None and time.monotonic() < until:
        assert best.metrics is not None
        stages = best.metrics["stages"]
        slowest = max(range(len(stages)), key=lambda k: stages[k]["compute_s"])
        moved = [(problem.check(other.to_plan(problem)), other) for other in _handed_over(split, slowest)]
        gains = [
            (check, other)
            for check, other in moved
            if check.feasible and check.objective is not None and check.objective < best.objective
        ]
        if not gains:
            break
        best, split = min(gains, key=lambda pair: pair[0].objective or 0.0)
    return split


def _handed_over(split: Split, stage: int) -> Iterator[Split]:
    """Yield the split with the stage's first or last layer at its neighbour."""
    if split.ends[stage] - split.starts[stage] < 2:
        return
    for boundary, change in ((stage - 1, 1), (stage, -1)):
        if 0 <= boundary < len(split.ends) - 1:
            ends = list(split.ends)
            ends[boundary] += change
            yield Split(split.nodes, tuple(ends))
