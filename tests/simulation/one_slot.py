"""A slot of segment_scheduling, event by event."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from drawn_rounds import Draws, Outcome
from event_loop import Name, Process, Sleep, Until, World

from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.models.segment_scheduling.cluster_cost import ClusterCost
from edgeplan.models.segment_scheduling.plan import ClusterPlan
from edgeplan.simulation.attempts import MOST_ATTEMPTS
from edgeplan.simulation.chance import Drawn
from edgeplan.simulation.presence import Presence


@dataclass
class OneSlot:
    """The slot of a round; `presences` by cluster and position in its line, lanes by round and cluster."""

    problem: SegmentScheduling
    plan: SegmentPlan
    draws: Draws
    presences: dict[Name, Presence]

    def __post_init__(self) -> None:
        self.outcome, self.number = Outcome(), self.draws.round % len(self.plan.slots)
        self.costs = self.problem.costs(self.plan)
        self.clusters = self.problem.instance.clusters
        sizes = [len(cluster.devices) for cluster in self.clusters]
        self.firsts = [0, *itertools.accumulate(sizes)]
        self.speed = self.draws.speed(self.firsts[-1])
        self.most = max(len(one.stages) for cost in self.costs for one in cost.clusters)

    def played(self) -> Outcome:
        ends = [self.cluster(n) for n in range(len(self.clusters))]
        self.outcome.time_s = max(ends)
        return self.outcome

    def cluster(self, n: int) -> float:
        cost = self.costs[self.number].clusters[n]
        if not cost.stages:
            return 0.0
        name = self.clusters[n].id
        entry = next(one for one in self.plan.slots[self.number].clusters if one.id == name)
        seconds, energy_j = self.line(n, cost, entry)
        needed = tuple(range(len(cost.stages)))
        lane = self.draws.round * len(self.clusters) + n
        world = World({k: self.presences[k] for k in needed if k in self.presences}, lane)
        end = [math.inf]
        world.run(self.whole(world, needed, seconds, energy_j, end))
        return end[0]

    def whole(
        self, world: World, needed: tuple[int, ...], seconds: float, energy_j: float, end: list[float]
    ) -> Process:
        waits = self.draws.settings.policy(self.problem) == "wait"
        for _ in range(MOST_ATTEMPTS):
            if not waits and not world.there(*needed):
                break
            yield Until(lambda: world.there(*needed))
            begin = world.now
            left = yield Sleep(begin + seconds, needed)
            self.outcome.energy_j += energy_j * (world.now - begin) / seconds
            if not left:
                end[0] = world.now
                return
            self.outcome.lost += 1
        if not waits:
            self.outcome.skipped += 1
            end[0] = 0.0

    def line(self, n: int, cost: ClusterCost, entry: ClusterPlan) -> tuple[float, float]:
        """Seconds and energy of all micro-batches, nobody leaving."""
        world, passed, energy = World(), set[tuple[int, int]](), [0.0]

        def station(s: int, seconds: float, power_w: float) -> Process:
            for m in range(cost.micro_batches):
                if s:
                    yield Until(lambda m=m: (s - 1, m) in passed)  # type: ignore[misc]
                took = seconds * self.factor(Drawn.TRANSFER if s % 2 else Drawn.COMPUTE, n, s, m)
                yield Sleep(world.now + took)
                energy[0] += power_w * took
                passed.add((s, m))

        unit_w = entry.uplink.power_w if entry.uplink else 0.0
        stations = []
        for k, stage in enumerate(cost.stages):
            device = self.clusters[n].devices[stage.device]
            computing = stage.compute_s * self.speed[self.firsts[n] + stage.device]
            sending_w = unit_w if k == len(cost.stages) - 1 else entry.stages[k].power_w or 0.0
            stations.append(station(2 * k, computing, device.compute_power_w))
            stations.append(station(2 * k + 1, stage.transfer_s, sending_w))
        world.run(*stations)
        uploading = cost.upload_s * self.factor(Drawn.TRANSFER, n, 2 * self.most, 1)
        embedding = self.clusters[n].embedding_s * self.factor(Drawn.COMPUTE, n, 2 * self.most, 0)
        decoding = self.clusters[n].decoder_s * self.factor(Drawn.COMPUTE, n, 2 * self.most, 1)
        whole = embedding + world.now + cost.micro_batches * decoding + uploading
        return whole, energy[0] + unit_w * uploading

    def factor(self, what: Drawn, n: int, *label: int) -> float:
        return float(self.draws.factor(what, *label, shape=(len(self.clusters),))[n])
