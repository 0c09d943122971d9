"""A batch of the pipeline schedule with overlap, event by event: stages and links take their work in turn."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from drawn_rounds import Draws, Outcome
from event_loop import Name, Process, Sleep, Until, World

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.layer_assignment.pipeline import hop_between
from edgeplan.simulation.attempts import MOST_ATTEMPTS
from edgeplan.simulation.chance import Drawn
from edgeplan.simulation.presence import Presence


@dataclass
class OneBatch:
    """A batch; `presences` are by stage, `labels` give each pass and transfer its draw.

    A pass or a transfer is named by its direction, stage, micro-batch and, of a transfer, target.
    """

    problem: LayerAssignment
    plan: Plan
    draws: Draws
    presences: dict[Name, Presence]
    labels: dict[Any, int]

    def __post_init__(self) -> None:
        self.world, self.outcome = World(self.presences, self.draws.round), Outcome()
        self.figures, self.done = self.problem.pipeline, set[Any]()
        self.visits = [cost.visit for cost in self.problem.cost(self.plan).visits]
        self.nodes = [self.problem.instance.network.nodes[visit.node] for visit in self.visits]
        self.hops = [hop_between(self.figures, *pair) for pair in itertools.pairwise(self.visits)]
        speed = self.draws.speed(len(self.problem.instance.network.nodes))
        self.speed = [speed[visit.node] for visit in self.visits]

    def played(self) -> Outcome:
        stages = range(len(self.visits))
        links = [("forward", k, k + 1) for k in stages[:-1]]
        if self.figures.is_training:
            links += [("backward", k + 1, k) for k in stages[:-1]]
        self.open = self.problem.instance.micro_batches * (len(links) + len(stages))
        if self.figures.is_training:
            self.open += self.problem.instance.micro_batches * len(stages)
        self.world.run(*map(self.stage, stages), *(self.link(*one) for one in links))
        return self.outcome

    def stage(self, k: int) -> Process:
        for direction, m in self.order(k):
            needs: list[Any] = [("forward", k, m, None)] if direction == "backward" else []
            before = k - 1 if direction == "forward" else k + 1
            if 0 <= before < len(self.visits):
                needs.append((direction, before, m, k))
            key = (direction, k, m, None)
            took = self.pass_s(direction, k) * self.draws.factor(Drawn.COMPUTE, self.labels[key])
            yield from self.carry(key, needs, (k,), took * self.speed[k])

    def link(self, direction: str, k: int, target: int) -> Process:
        hop = self.hops[min(k, target)]
        for m in range(self.problem.instance.micro_batches):
            key = (direction, k, m, target)
            took = hop.forward_s if direction == "forward" else hop.backward_s
            took *= self.draws.factor(Drawn.TRANSFER, self.labels[key])
            yield from self.carry(key, [(direction, k, m, None)], (k, target), took)

    def carry(self, key: Any, needs: list[Any], nodes: tuple[int, ...], took: float) -> Process:
        yield Until(lambda: all(one in self.done for one in needs))
        for _ in range(MOST_ATTEMPTS):
            yield Until(lambda: self.world.there(*nodes))
            begin = self.world.now
            left = yield Sleep(begin + took, nodes)
            self.count(key, self.world.now - begin, took, left)
            if not left:
                self.done.add(key)
                self.open -= 1
                if not self.open:
                    self.outcome.time_s = self.world.now
                return

    def count(self, key: Any, passed: float, took: float, left: bool) -> None:
        _, k, _, target = key
        node = self.nodes[k]
        self.outcome.lost += left
        self.outcome.energy_j += passed * (node.compute_power_w if target is None else node.transmit_power_w)
        if target is not None:
            num_bytes = self.hops[min(k, target)].num_bytes // (2 if self.figures.is_training else 1)
            self.outcome.bytes_moved += num_bytes * passed / took if left else num_bytes

    def pass_s(self, direction: str, k: int) -> float:
        node, own = self.nodes[k], self.visits[k].own_layers
        whole, timings = self.figures.compute_s(node, own), self.figures.timings(node)
        if not self.figures.is_training:
            return whole
        layers, size = self.problem.instance.model.layers, self.figures.micro_batch_size
        forward = size * (
            sum(layers[i].forward_flops for i in own) / node.flops_per_s
            if timings is None
            else sum(timings[i].forward_s for i in own)
        )
        return forward if direction == "forward" else whole - forward

    def order(self, k: int) -> Iterator[tuple[str, int]]:
        count, stages = self.problem.instance.micro_batches, len(self.visits)
        behind = min(count, stages - 1 - k) if self.problem.instance.in_flight == "1f1b" else count
        for position in range(count + behind if self.figures.is_training else count):
            if position < count:
                yield "forward", position
            if position >= behind and self.figures.is_training:
                yield "backward", position - behind
