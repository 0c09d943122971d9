"""One process of a run: its part of the job, its network and shard, and what it saw."""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import torch

from edgeplan.models.layer_assignment.instance import Training
from edgeplan.models.layer_assignment.serial import earliest_start_s
from edgeplan.runtime.snake.device.clock import RoundClock, Stopwatch
from edgeplan.runtime.snake.device.link import Shape
from edgeplan.runtime.snake.device.training import Batch, Score, Shard, evaluate, train
from edgeplan.runtime.snake.device.watch import ParameterWatch
from edgeplan.runtime.snake.device.workload import Workload, optimizer_for
from edgeplan.runtime.snake.itinerary import PlannedVisit
from edgeplan.runtime.snake.job import TEST, Job
from edgeplan.runtime.snake.records import Event, progress_path, write_json


def finite(loss: float) -> float | None:
    """Return the loss; None once training has diverged, for JSON has no NaN."""
    return loss if math.isfinite(loss) else None


@dataclass
class NodeProcess:
    """What a process holds.

    Parameters
    ----------
    job, rank
        The run and this process's place in it.
    workload
        The network; its parameters are this node's copy.
    shard
        Training images; None for a server.
    slowdown
        Seconds of training on the node for a second of processor time here; None does not imitate it.
    events
        What happened, in order.
    """

    job: Job
    rank: int
    workload: Workload
    shard: Shard | None
    slowdown: float | None = None
    events: list[Event] = field(default_factory=list)

    @classmethod
    def of(cls, job: Job, rank: int) -> NodeProcess:
        """Build the network and read the shard."""
        is_stage = rank < len(job.visits)
        shard = Shard(job.read_images(rank), job.upscaled_to) if is_stage else None
        return cls(job, rank, job.seeded_workload(), shard)

    @property
    def training(self) -> Training:
        """The instance's training section."""
        return self.job.problem.instance.training

    def shape(self, source: int, target: int) -> Shape | None:
        """Return the link to be imitated between two ranks; None when the run is not shaped."""
        if not self.job.settings.shape:
            return None
        network = self.job.problem.instance.network
        return Shape(*network.latency_and_rate(self.job.node_of(source), self.job.node_of(target)))

    def optimizer(self, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer | None:
        """Return a fresh optimizer: its state stays on the node and begins anew with every visit."""
        return optimizer_for(parameters, self.training.optimizer_bytes, self.job.settings.learning_rate)

    def batches(self, visit: int) -> list[Batch]:
        """Return the batches of this node's visit, counted from 0."""
        assert self.shard is not None
        return self.shard.batches(
            seed=self.job.settings.seed,
            node=self.rank,
            visit=visit,
            batch_size=self.training.batch_size,
            steps=self.training.local_steps,
        )

    def train(self, layers: Collection[str], round_number: int) -> float:
        """Train these layers for the local steps of a round and return the mean loss."""
        # Dropout and the like draw the same numbers wherever the visit is computed.
        source = np.random.SeedSequence([self.job.settings.seed, round_number, self.rank])
        torch.manual_seed(int(source.generate_state(1)[0]))
        optimizer = self.optimizer(self.workload.train_only(layers))
        return train(self.workload.module, optimizer, self.batches(round_number - 1))

    def _train_at_its_speed(self, layers: Collection[str], round_number: int) -> float:
        stopwatch = Stopwatch()
        loss = self.train(layers, round_number)
        if self.slowdown is not None:
            spent = stopwatch.read()
            time.sleep(max(0.0, self.slowdown * spent.processor_s - spent.wall_s))
        return loss

    def visit(self, round_number: int, clock: RoundClock) -> None:
        """Train the node's layers, and check that the others keep every bit."""
        planned = self.job.visits[self.rank]
        frozen = self.workload.others(planned.trained)
        with clock.paused():
            watch = ParameterWatch(
                self.workload.parameters(frozen), self.workload.parameters(planned.trained)
            )
        missed = self._wait_for_window(planned, clock)
        start_s = clock.now_s()
        loss = self._train_at_its_speed(planned.trained, round_number)
        end_s = clock.now_s()
        with clock.paused():
            verdict = watch.verdict()
        times = {"start_s": start_s, "end_s": end_s, "window_missed": missed}
        place = {"event": "trained", "round": round_number, "stage": self.rank}
        self.events.append(place | times | verdict | {"loss": finite(loss)})

    def _wait_for_window(self, planned: PlannedVisit, clock: RoundClock) -> bool:
        """Wait for the window that the predicted compute time fits; True if none is left."""
        if not self.job.settings.shape:
            return False
        node = self.job.problem.instance.network.nodes[planned.predicted.visit.node]
        start_s = earliest_start_s(node, clock.now_s(), planned.predicted.compute_s)
        if start_s is not None:
            clock.wait_until(start_s)
        return start_s is None

    def score(self, phase: str, round_number: int) -> None:
        """Evaluate this node's parameters, and tell of it."""
        test = Shard(self.job.read_images(TEST), self.job.upscaled_to)
        score: Score = evaluate(self.workload.module, test)
        event = {
            "event": "scored",
            "phase": phase,
            "round": round_number,
            "loss": finite(score.loss),
            "accuracy": score.accuracy,
        }
        self.events.append(event)
        write_json(progress_path(self.job.folder), event | {"rounds": self.job.settings.rounds})
