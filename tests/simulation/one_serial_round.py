"""A round of the serial schedule, event by event."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass

from drawn_rounds import Draws, Outcome
from event_loop import Name, Process, Sleep, Until, World

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.numbers import exceeds
from edgeplan.simulation.attempts import MOST_ATTEMPTS
from edgeplan.simulation.chance import Drawn
from edgeplan.simulation.presence import Presence


@dataclass
class SerialRound:
    """One round of the serial schedule as a process."""

    problem: LayerAssignment
    plan: Plan
    draws: Draws
    world: World
    substitutes: list[list[int]]

    def __post_init__(self) -> None:
        self.outcome = Outcome()
        self.nodes = self.problem.instance.network.nodes
        self.costs = self.problem.cost(self.plan).visits
        self.speed = self.draws.speed(len(self.nodes))
        server = self.problem.server
        self.server = None if server is None else self.problem.instance.network.index_of[server]
        self.policy = self.draws.settings.policy(self.problem)
        self.used: set[int] = set()

    def process(self) -> Process:
        alone = len(self.costs) == 1
        sender = self.server if self.server is not None else None if alone else self.costs[-1].visit.node
        for stage in range(len(self.costs)):
            came_to_an_end, visited = yield from self.stage(stage, sender)
            if not came_to_an_end:
                return
            if self.server is None and visited is not None and not alone:
                sender = visited
        self.outcome.time_s = self.world.now

    def stage(
        self, stage: int, sender: int | None
    ) -> Generator[Sleep | Until, bool, tuple[bool, int | None]]:
        """Answers whether it came to an end, and who was visited."""
        planned = self.costs[stage].visit.node
        for _ in range(MOST_ATTEMPTS):
            node: int | None = planned
            if self.policy != "wait":
                yield Until(lambda: sender is None or self.world.there(sender))
                node = self.choose(stage)
            if node is None:
                self.outcome.skipped += 1
                return True, None
            state = yield from self.visit(stage, sender, node)
            if state == "done":
                self.outcome.replaced += node != planned
                self.used.add(node)
                sent = self.server is None or (yield from self.hand_back(stage, node))
                return sent, node
            self.outcome.lost += state == "lost"
            if state == "never":
                self.used.add(node)
            if self.policy == "skip":
                self.outcome.skipped += 1
                return True, None
            if state == "never" and self.policy == "wait":
                return False, None
        return False, None

    def choose(self, stage: int) -> int | None:
        planned = self.costs[stage].visit.node
        for node in (planned, *self.substitutes[stage]):
            if self.world.there(node) and node not in self.used:
                return node
        return None if self.policy == "skip" else planned

    def visit(self, stage: int, sender: int | None, node: int) -> Generator[Sleep | Until, bool, str]:
        cost, figures = self.costs[stage], self.problem.serial
        compute_s = figures.compute_s(self.nodes[node], cost.visit.own_layers) * self.speed[node]
        compute_s *= self.draws.factor(Drawn.COMPUTE, stage)
        in_s, moves = 0.0, sender is not None and sender != node
        if sender is not None and moves:
            num_bytes = float(figures.bytes_to_update(cost.visit.own_layers))
            in_s = self.moving_s(sender, node, num_bytes) * self.draws.factor(Drawn.TRANSFER, stage, 0)
        yield Until(lambda: self.world.there(node) and (sender is None or self.world.there(sender)))
        start = self.window(node, self.world.now + in_s, compute_s)
        if math.isinf(start):
            return "never"
        if sender is not None and moves:
            left = yield from self.send((sender, node), sender, in_s, cost.bytes_in)
            if left:
                return "lost"
        left = yield Sleep(start + compute_s, (node,))
        power_w = self.nodes[node].compute_power_w
        self.outcome.energy_j += power_w * max(0.0, self.world.now - start)
        return "lost" if left else "done"

    def hand_back(self, stage: int, node: int) -> Generator[Sleep | Until, bool, bool]:
        assert self.server is not None
        cost = self.costs[stage]
        num_bytes = float(self.problem.serial.bytes_to_return(cost.visit.own_layers))
        seconds = self.moving_s(node, self.server, num_bytes) * self.draws.factor(Drawn.TRANSFER, stage, 1)
        for _ in range(MOST_ATTEMPTS):
            yield Until(lambda: self.world.there(node))
            left = yield from self.send((node,), node, seconds, cost.bytes_out)
            if not left:
                return True
            self.outcome.lost += 1
        return False

    def send(
        self, watched: tuple[int, ...], source: int, seconds: float, num_bytes: int
    ) -> Generator[Sleep | Until, bool, bool]:
        begin = self.world.now
        left = yield Sleep(begin + seconds, watched)
        passed = self.world.now - begin
        self.outcome.energy_j += self.nodes[source].transmit_power_w * passed
        self.outcome.bytes_moved += num_bytes * passed / seconds if left else num_bytes
        return left

    def window(self, node: int, ready: float, seconds: float) -> float:
        windows = self.nodes[node].available_s
        if windows is None:
            return ready
        found = (max(ready, a) for a, b in windows if not exceeds(max(ready, a) + seconds, b))
        return next(found, math.inf)

    def moving_s(self, source: int, target: int, num_bytes: float) -> float:
        return self.problem.instance.network.transfer_s(
            self.nodes[source].id, self.nodes[target].id, num_bytes
        )


def serial_round(
    problem: LayerAssignment,
    plan: Plan,
    draws: Draws,
    presences: dict[Name, Presence],
    substitutes: list[list[int]],
) -> Outcome:
    world = World(presences, draws.round)
    one = SerialRound(problem, plan, draws, world, substitutes)
    world.run(one.process())
    return one.outcome
