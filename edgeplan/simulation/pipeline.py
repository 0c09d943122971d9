"""Batches of the pipeline schedule: the passes and transfers of every micro-batch as activities.

The stage time of equation (10) is split into its forward and its backward pass; the two directions of a link
are apart, as links are directed. An activity whose node leaves is begun anew when it is back; what its node
has computed before is kept.

Without noise and churn, beside ``time_s`` of equation (11):

- inference takes exactly as long, with overlap and without;
- GPipe takes ``sum t + sum u + (N - 1) (longest forward + longest backward)``, longest among stages and links
  as in (11). So it takes at least as long, and just as long where the same one is longest both ways;
- 1F1B takes at least ``N t_k`` and the t and u before stage k, for any k. It may end before (11), which adds
  stages and links behind the slowest stage, and after (11), since no more micro-batches are in flight than
  equation (9) has memory for, which may be too few to hide transfers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.layer_assignment.pipeline import Hop, hop_between
from edgeplan.models.layer_assignment.plan_cost import Visit
from edgeplan.models.network import Node
from edgeplan.models.simulated import Predicted
from edgeplan.simulation.activities import COMPUTE, LOST, TRANSFER, WAITING, Ended, Work, play
from edgeplan.simulation.chance import Array, Chance, Drawn, node_factors
from edgeplan.simulation.pipeline_order import Activity, PipelineOrder
from edgeplan.simulation.presence import Presence, presence_of
from edgeplan.simulation.rounds import Rounds
from edgeplan.simulation.settings import SimulationSettings


@dataclass(frozen=True)
class PipelineReplay:
    """A plan of the pipeline schedule, ready to be played.

    Parameters
    ----------
    problem, plan
        What is played.
    settings
        How.
    """

    problem: LayerAssignment
    plan: Plan
    settings: SimulationSettings

    @cached_property
    def visits(self) -> tuple[Visit, ...]:
        """The stages."""
        return tuple(cost.visit for cost in self.problem.cost(self.plan).visits)

    @cached_property
    def activities(self) -> list[tuple[Activity, tuple[int, ...]]]:
        """What is done in a batch."""
        instance = self.problem.instance
        return PipelineOrder(
            len(self.visits),
            instance.micro_batches,
            instance.in_flight,
            self.problem.pipeline.is_training,
            instance.overlap,
        ).activities()

    @cached_property
    def predicted(self) -> Predicted:
        """What the problem says of a round."""
        cost = self.problem.cost(self.plan)
        return Predicted(time_s=cost.time_s, bytes_moved=cost.bytes_moved, energy_j=cost.energy_j)

    period = 1
    """Rounds that belong together."""

    @property
    def floats_of_a_round(self) -> int:
        """How many numbers a round takes at once."""
        return 12 * len(self.activities)

    def play(self, chance: Chance, rounds: int) -> Rounds:
        """Play the first rounds of a chunk."""
        works = self._works(chance, rounds)
        tally = _Tally(self, works, rounds)
        last = play(works, rounds, tally.count)
        return Rounds(
            last.end,
            last.chain[COMPUTE],
            last.chain[TRANSFER],
            last.chain[WAITING],
            last.chain[LOST],
            tally.bytes_moved,
            tally.energy_j,
            tally.lost,
            np.zeros(rounds),
            np.zeros(rounds),
        )

    def _works(self, chance: Chance, rounds: int) -> list[Work]:
        presences = [presence_of(chance, self.settings.churn, rounds, visit.node) for visit in self.visits]
        return [
            self._work(position, activity, before, chance, rounds, presences)
            for position, (activity, before) in enumerate(self.activities)
        ]

    def _work(
        self,
        position: int,
        activity: Activity,
        before: tuple[int, ...],
        chance: Chance,
        rounds: int,
        presences: list[Presence],
    ) -> Work:
        jitter, stage = self.settings.jitter, activity.stage
        if activity.target is None:
            noise = chance.factors(jitter.compute, (rounds,), Drawn.COMPUTE, position)
            seconds = self.pass_s[stage][activity.direction] * noise * self._speed_factor(stage)
            return Work(before, COMPUTE, seconds, (presences[stage],))
        noise = chance.factors(jitter.transfer, (rounds,), Drawn.TRANSFER, position)
        seconds = self.moving_s(activity) * noise
        return Work(before, TRANSFER, seconds, (presences[stage], presences[activity.target]))

    def _speed_factor(self, stage: int) -> float:
        return float(self._speed_factors[self.visits[stage].node])

    @cached_property
    def _speed_factors(self) -> Array:
        nodes = self.problem.instance.network.nodes
        return node_factors(self.settings.seed, self.settings.jitter.node, len(nodes))

    @cached_property
    def hops(self) -> list[Hop]:
        """The links between the stages."""
        return [hop_between(self.problem.pipeline, *pair) for pair in pairwise(self.visits)]

    def moving_s(self, activity: Activity) -> float:
        """Seconds of a transfer."""
        assert activity.target is not None
        hop = self.hops[min(activity.stage, activity.target)]
        return hop.forward_s if activity.direction == "forward" else hop.backward_s

    def moving_bytes(self, activity: Activity) -> int:
        """Bytes of a transfer; activation and gradient are alike."""
        assert activity.target is not None
        hop = self.hops[min(activity.stage, activity.target)]
        return hop.num_bytes // 2 if self.problem.pipeline.is_training else hop.num_bytes

    @cached_property
    def pass_s(self) -> list[dict[str, float]]:
        """Seconds of a forward and a backward pass of each stage."""
        return [self._pass_s(visit) for visit in self.visits]

    def _pass_s(self, visit: Visit) -> dict[str, float]:
        figures, own = self.problem.pipeline, visit.own_layers
        node, size = self.node(visit), figures.micro_batch_size
        whole_s = figures.compute_s(node, own)
        timings = figures.timings(node)
        if not figures.is_training:
            forward_s = whole_s
        elif timings is not None:
            forward_s = size * sum(timings[index].forward_s for index in own)
        else:
            layers = self.problem.instance.model.layers
            forward_s = size * sum(layers[index].forward_flops for index in own) / node.flops_per_s
        return {"forward": forward_s, "backward": whole_s - forward_s}

    def node(self, visit: Visit) -> Node:
        """Node of a stage."""
        return self.problem.instance.network.nodes[visit.node]


class _Tally:
    """Counts what the activities of a batch move, spend and lose."""

    def __init__(self, replay: PipelineReplay, works: Sequence[Work], rounds: int) -> None:
        self._replay, self._works = replay, works
        self.bytes_moved, self.energy_j, self.lost = (np.zeros(rounds) for _ in range(3))

    def count(self, position: int, ended: Ended) -> None:
        """Count an activity that has been played."""
        activity, _ = self._replay.activities[position]
        seconds = self._works[position].seconds
        if activity.target is not None:
            num_bytes = self._replay.moving_bytes(activity)
            whole = np.where(seconds > 0, seconds, 1.0)
            self.bytes_moved += num_bytes + num_bytes * (ended.lost_s / whole)
        self.energy_j += self._power_w(activity) * (seconds + ended.lost_s)
        self.lost += ended.attempts_lost

    def _power_w(self, activity: Activity) -> float:
        node = self._replay.node(self._replay.visits[activity.stage])
        return node.compute_power_w if activity.target is None else node.transmit_power_w
