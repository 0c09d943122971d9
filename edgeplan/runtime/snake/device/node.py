"""One process of a run: its part of the job, its network and shard, and what it saw."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from edgeplan.models.layer_assignment.instance import Training
from edgeplan.models.layer_assignment.serial import earliest_start_s
from edgeplan.runtime.emulation.holding import held
from edgeplan.runtime.emulation.links import Shape
from edgeplan.runtime.emulation.modes import NONE, PROCESS
from edgeplan.runtime.emulation.pace import MACHINE, Pace, Stretched
from edgeplan.runtime.emulation.quotas import own_group
from edgeplan.runtime.learning.calibration import slowdown_of, time_full_step, visit_of
from edgeplan.runtime.learning.checkpoints import keep
from edgeplan.runtime.learning.objective import Distilling, Objective, cross_entropy
from edgeplan.runtime.learning.privacy.accounting import Taken
from edgeplan.runtime.learning.privacy.ledger import Ledger
from edgeplan.runtime.learning.privacy.private_steps import PrivateSteps, sample_rate
from edgeplan.runtime.learning.privacy.validation import load_opacus
from edgeplan.runtime.learning.training import Batch, Score, Shard, Stepping, evaluate, train
from edgeplan.runtime.learning.workload import Workload, optimizer_for
from edgeplan.runtime.processes.budget import MemoryBudget
from edgeplan.runtime.processes.exchange import ALL, exchanging
from edgeplan.runtime.processes.heartbeat import START_UP, Heart
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.records import (
    Event,
    finite,
    journal_path,
    ledger_path,
    progress_path,
    write_json,
)
from edgeplan.runtime.processes.rehearsal import CHECKPOINT, COMPUTE, strike_if_asked
from edgeplan.runtime.processes.stopwatch import Spent
from edgeplan.runtime.snake.course import Position
from edgeplan.runtime.snake.device.clock import RoundClock
from edgeplan.runtime.snake.device.schedule import rate_share
from edgeplan.runtime.snake.device.watch import ParameterWatch
from edgeplan.runtime.snake.itinerary import PlannedVisit
from edgeplan.runtime.snake.job import TEST, Job

ObjectiveOf = Callable[[nn.Module], Objective]


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
        Training samples; None for a server.
    heart
        Tells the supervisor that this process is there.
    events
        What happened, in order.
    pace
        How fast the node trains here.
    """

    job: Job
    rank: int
    workload: Workload
    shard: Shard | None
    heart: Heart
    events: Journal
    pace: Pace = MACHINE

    @classmethod
    def of(cls, job: Job, rank: int) -> NodeProcess:
        """Build the network and read the shard; what is known of an earlier start stays aside for now."""
        is_stage, seat = rank < len(job.visits), job.seat_of(job.node_of(rank))
        shard = Shard(job.read_samples(seat), job.upscaled_to) if is_stage else None
        load_opacus(job.settings.privacy)
        journal = Journal(journal_path(job.folder, seat))
        return cls(job, rank, job.seeded_workload(), shard, Heart(rank), journal)

    @property
    def seat(self) -> int:
        """Which node this is, in every leg of the run."""
        return self.job.seat_of(self.job.node_of(self.rank))

    def begins(self, phase: str, round_number: int) -> None:
        """Begin a phase of a round; a fault that was asked for strikes here."""
        self.heart.does(phase if phase == START_UP else f"{phase}, round {round_number}")
        strike_if_asked(self.job.settings.faults, self.job.node_of(self.rank), round_number, phase)

    def meet(self) -> None:
        """Wait for all processes."""
        with exchanging(ALL):
            dist.barrier()

    def keep(self, position: Position) -> None:
        """Keep the network as it is before a visit, the next."""
        self.begins(CHECKPOINT, position.round if position.stage else position.round - 1)
        keep(self.workload, position, self.job.folder, self.seat)

    @property
    def training(self) -> Training:
        """The instance's training section."""
        return self.job.problem.instance.training

    @property
    def budget(self) -> MemoryBudget:
        """What the node's training may take; unlimited where nothing of the instance is imposed."""
        network = self.job.problem.instance.network
        node = network.nodes[network.index_of[self.job.node_of(self.rank)]]
        return MemoryBudget(
            node.memory_bytes if self.job.settings.limits_memory else None, self.training.reserve_bytes
        )

    def starting_clock(self) -> RoundClock:
        """Begin a round."""
        return RoundClock.starting_now(self.job.slower)

    def shape(self, source: int, target: int) -> Shape | None:
        """Return the link that processes imitate between two ranks; None where they do not."""
        if self.job.settings.emulation != PROCESS:
            return None
        return self.job.links.between(source, target)

    def optimizer(
        self, parameters: list[torch.nn.Parameter], round_number: int
    ) -> torch.optim.Optimizer | None:
        """Return a fresh optimizer: its state stays on the node and begins anew with every visit."""
        settings = self.job.settings
        share = rate_share(
            settings.schedule,
            round_number=round_number,
            rounds=settings.rounds,
            divergence=self.job.divergences[self.seat],
        )
        return optimizer_for(parameters, self.training.optimizer_bytes, settings.learning_rate, share)

    def batches(self, visit: int) -> list[Batch]:
        """Return the batches of this node's visit, counted from 0."""
        assert self.shard is not None
        return self.shard.batches(
            seed=self.job.settings.seed,
            node=self.seat,
            visit=visit,
            batch_size=self.training.batch_size,
            steps=self.training.local_steps,
        )

    def objective_of(self, module: nn.Module) -> Objective:
        """Return what a visit to this node minimises, from the network as it arrived."""
        settings = self.job.settings
        if not self.job.distils(self.seat):
            return cross_entropy
        return Distilling(module, settings.distill, settings.temperature)

    def train(
        self, layers: Collection[str], round_number: int, objective_of: ObjectiveOf = lambda _: cross_entropy
    ) -> float:
        """Train these layers for the local steps of a round and return the mean loss."""
        # Dropout and the like draw the same numbers wherever the visit is computed.
        source = np.random.SeedSequence([self.job.settings.seed, round_number, self.seat])
        torch.manual_seed(int(source.generate_state(1)[0]))
        optimizer = self.optimizer(self.workload.train_only(layers), round_number)
        module, private = self.workload.module, self.private_steps(round_number)
        if private is None:
            batches = self.pace.steadied(self.batches(round_number - 1))
            return train(module, optimizer, batches, objective_of(module))
        assert self.shard is not None
        self.ledger.write(Taken(self.training.local_steps, self._sample_rate))
        batches = self.pace.steadied(private.batches(self.shard, self.training.local_steps))
        return private.train(module, optimizer, batches, objective_of(module))

    def private_steps(self, round_number: int) -> PrivateSteps | None:
        """Return how a visit trains with differential privacy; None where it does not."""
        privacy = self.job.settings.privacy
        if privacy is None:
            return None
        return PrivateSteps.of(privacy, self.training.batch_size, (round_number, self.seat))

    @property
    def stepping(self) -> Stepping:
        """How steps are taken that are timed or measured, on a copy."""
        private = self.private_steps(0)
        return train if private is None else private.train

    @property
    def is_private(self) -> bool:
        """Whether visits train with differential privacy, a sample at a time."""
        return self.job.settings.privacy is not None

    @property
    def spent(self) -> list[Event]:
        """What the report has to know of this node's samples, of earlier starts of the run too."""
        return self.ledger.events if self.is_private and self.seat < len(self.job.holders) else []

    @cached_property
    def ledger(self) -> Ledger:
        """What this node has given away of its samples."""
        return Ledger(ledger_path(self.job.folder, self.seat), self.seat)

    @property
    def _sample_rate(self) -> float:
        return sample_rate(self.training.batch_size, self.job.num_samples(self.rank))

    def time_full_step(self, pace: Pace = MACHINE, *, step_s: float = 0.0) -> Spent:
        """Time steps of the whole network at a pace, about as many as a slow node has time for."""
        batches = self.batches(0)
        return time_full_step(
            self.workload,
            visit_of(batches, step_s) if step_s else batches,
            optimizer_bytes=self.training.optimizer_bytes,
            learning_rate=self.job.settings.learning_rate,
            pace=pace,
            stepping=self.stepping,
        )

    def hold(self, full_step: Spent) -> None:
        """Find the quota with which the node has its speed."""
        group = own_group()
        wanted_s = self.job.slower * self._slowdown(full_step.wall_s) * full_step.wall_s
        holding = held(
            group,
            lambda pace: self.time_full_step(pace, step_s=wanted_s),
            free=full_step,
            wanted_s=wanted_s,
        )
        self.pace = holding.pace
        self.events.append({"event": "held", "stage": self.rank} | holding.to_document(self.job.slower))

    def stretch(self, full_step: Spent) -> None:
        """Let visits take as long as on the node, by sleep."""
        self.pace = Stretched(self._slowdown(full_step.processor_s))

    def _slowdown(self, full_step_s: float) -> float:
        return slowdown_of(self.job.problem, self.job.node_of(self.rank), full_step_s)

    def visit(self, round_number: int, clock: RoundClock) -> None:
        """Train the node's layers, and check that the others keep every bit."""
        planned = self.job.visits[self.rank]
        frozen = self.workload.others(planned.trained)
        with clock.paused():
            watch = ParameterWatch(
                self.workload.parameters(frozen), self.workload.parameters(planned.trained)
            )
        missed = self._wait_for_window(planned, clock)
        self.begins(COMPUTE, round_number)
        start_s = clock.now_s()
        with self.pace.kept(), self.budget.kept():
            loss = self.train(planned.trained, round_number, self.objective_of)
        end_s = clock.now_s()
        with clock.paused():
            verdict = watch.verdict()
            self.keep(Position(round_number, self.rank).after(len(self.job.visits)))
        times = {"start_s": start_s, "end_s": end_s, "window_missed": missed}
        place = {"event": "trained", "round": round_number, "stage": self.rank}
        self.events.append(place | times | verdict | {"loss": finite(loss)})

    def _wait_for_window(self, planned: PlannedVisit, clock: RoundClock) -> bool:
        """Wait for the window that the predicted compute time fits; True if none is left."""
        if self.job.settings.emulation == NONE:
            return False
        node = self.job.problem.instance.network.nodes[planned.predicted.visit.node]
        start_s = earliest_start_s(node, clock.now_s(), planned.predicted.compute_s)
        if start_s is not None:
            clock.wait_until(start_s)
        return start_s is None

    def score(self, phase: str, round_number: int) -> None:
        """Evaluate this node's parameters, and tell of it."""
        test = Shard(self.job.read_samples(TEST), self.job.upscaled_to)
        score: Score = evaluate(self.workload.module, test)
        event = {
            "event": "scored",
            "phase": phase,
            "round": round_number,
            "loss": finite(score.loss),
            "accuracy": score.accuracy,
            "perplexity": score.perplexity if self.job.white is None else None,
        }
        self.events.append(event)
        write_json(progress_path(self.job.folder), event | {"rounds": self.job.settings.rounds})
