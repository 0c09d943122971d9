"""The job file: all that a process needs to play its part, beside the shards in the same folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from edgeplan.errors import UsageError
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.runtime.data.divergence import divergences
from edgeplan.runtime.data.samples import Samples, read_samples
from edgeplan.runtime.data.shards import read_shard, split_by_label, write_samples
from edgeplan.runtime.emulation.links import Links
from edgeplan.runtime.emulation.modes import chosen_mode
from edgeplan.runtime.learning.privacy.validation import check_private
from edgeplan.runtime.learning.training import Shard
from edgeplan.runtime.learning.validation import input_size
from edgeplan.runtime.learning.workload import Workload
from edgeplan.runtime.processes.records import (
    forget_earlier_run,
    job_path,
    read_json,
    write_json,
)
from edgeplan.runtime.processes.supervision import Crew
from edgeplan.runtime.snake import itinerary
from edgeplan.runtime.snake.course import Leg, Position
from edgeplan.runtime.snake.settings import RunSettings
from edgeplan.runtime.snake.validation import validated

PROGRAM = "edgeplan.runtime.snake.worker"
TEST = "test"
LEAST_TIMEOUT_S = 600.0
TIMEOUT_ROUNDS = 20.0


@dataclass(frozen=True)
class Job:
    """A validated run.

    Parameters
    ----------
    problem, settings
        What is run, and how.
    legs
        The course of the run; the last leg's plan is followed now.
    folder
        Holds the job, the shards, and later the report.
    white
        Largest value of a pixel in the shards; None for text.
    upscaled_to
        Channels, height and width that images are brought to; None keeps them.
    holders
        Nodes that hold images: those of the first plan in visiting order, then the spare ones. A node's place
        among them, its seat, is the same in every leg.
    label_counts
        For each of them its training samples by label.
    away
        Nodes that were lost.
    giver
        Node without a stage that has the newest parameters, at the beginning of the last leg.
    incidents
        What happened to nodes so far, for the report.
    """

    problem: LayerAssignment
    legs: tuple[Leg, ...]
    settings: RunSettings
    folder: Path
    white: int | None
    upscaled_to: tuple[int, ...] | None
    holders: tuple[str, ...]
    label_counts: tuple[tuple[int, ...], ...]
    away: tuple[str, ...] = ()
    giver: str | None = None
    incidents: tuple[dict[str, Any], ...] = ()

    @property
    def path(self) -> Path:
        """Where the job file stands."""
        return job_path(self.folder)

    @property
    def plan(self) -> Plan:
        """The plan that is followed now."""
        return self.legs[-1].plan

    def in_round(self, number: int) -> Job:
        """Return the job with the plan by which a round ended."""
        return replace(self, legs=tuple(leg for leg in self.legs if leg.first.round <= number), giver=None)

    def is_interrupted(self, number: int) -> bool:
        """Say whether a plan was given up within a round."""
        return any(leg.first.round == number and leg.first.stage > 0 for leg in self.legs) or any(
            leg.end is not None and leg.end.round == number and leg.end.stage > 0 for leg in self.legs
        )

    def resumed_at(self, position: Position) -> Job:
        """Return the job with a leg that begins at a position, where the last one did not."""
        last = self.legs[-1]
        if position <= last.first:
            return self
        return replace(self, legs=(*self.legs[:-1], replace(last, end=position), Leg(self.plan, position)))

    @cached_property
    def visits(self) -> tuple[itinerary.PlannedVisit, ...]:
        """The visits of one round."""
        return itinerary.planned_visits(self.problem, self.plan)

    @property
    def server_rank(self) -> int | None:
        """Rank of the server's process; None with transport peer."""
        return itinerary.server_rank(self.problem, self.plan)

    @property
    def giver_rank(self) -> int | None:
        """Rank of the process that only gives what it has, after all others; None where it is not needed."""
        return None if self.giver is None else self.world_size - 1

    @property
    def world_size(self) -> int:
        """Number of processes."""
        return itinerary.world_size(self.problem, self.plan) + (self.giver is not None)

    def node_of(self, rank: int) -> str:
        """Id of the node that a process stands for."""
        if rank == self.giver_rank:
            assert self.giver is not None
            return self.giver
        return itinerary.node_of_rank(self.problem, self.plan, rank)

    def seat_of(self, node: str) -> int:
        """Place of a node among those that keep something: the holders, and the server after them."""
        return self.holders.index(node) if node in self.holders else len(self.holders)

    @property
    def crew(self) -> Crew:
        """The processes: one a stage, and one for the server."""
        names = tuple(f"node {self.node_of(rank)}" for rank in range(self.world_size))
        return Crew(
            PROGRAM,
            self.path,
            names,
            self.settings.threads,
            goes_on=True,
            patience_s=self.settings.patience_s,
        )

    @property
    def slower(self) -> float:
        """Seconds here for a second of the instance."""
        return self.settings.slower or 1.0

    @cached_property
    def links(self) -> Links:
        """What joins the processes' nodes."""
        return Links.of(
            self.problem.instance.network, [self.node_of(rank) for rank in range(self.world_size)]
        )

    @property
    def hops(self) -> tuple[tuple[int, int], ...]:
        """Ranks between which parameters travel, as sender and receiver."""
        stages = range(len(self.visits))
        if self.server_rank is not None:
            return tuple(hop for k in stages for hop in ((self.server_rank, k), (k, self.server_rank)))
        return tuple(((k - 1) % len(stages), k) for k in stages) if len(stages) > 1 else ()

    @cached_property
    def divergences(self) -> list[float]:
        """How far the labels of each stage's node are from those of all, 0 to 1."""
        return divergences(self.label_counts)

    def distils(self, seat: int) -> bool:
        """Say whether a visit to a stage's node has a teacher, since its labels are unlike those of all."""
        return self.settings.distill > 0.0 and self.divergences[seat] > self.settings.distill_above

    def num_samples(self, stage: int) -> int:
        """Training samples of a stage's node."""
        return sum(self.label_counts[self.seat_of(self.node_of(stage))])

    @property
    def timeout_s(self) -> float:
        """Longest wait of one process for another, in seconds."""
        predicted_s = self.problem.cost(self.plan).time_s
        assert predicted_s is not None
        return self.settings.timeout_s or max(LEAST_TIMEOUT_S, TIMEOUT_ROUNDS * self.slower * predicted_s)

    def seeded_workload(self) -> Workload:
        """Build the network as every process begins with it."""
        instance = self.problem.instance
        network = self.settings.network or instance.model.name
        return Workload.seeded(network, self.settings.seed, [layer.name for layer in instance.model.layers])

    def read_samples(self, name: str | int) -> Samples:
        """Read the shard of a seat, or ``test``."""
        return read_shard(self.folder, str(name), self.white)

    def write(self) -> None:
        """Write the job file."""
        write_json(
            self.path,
            {
                "format": "edgeplan/1",
                "kind": "run_job",
                "instance": self.problem.to_document(),
                "legs": [leg.to_document() for leg in self.legs],
                "settings": self.settings.to_document(),
                "white": self.white,
                "upscaled_to": self.upscaled_to,
                "holders": self.holders,
                "label_counts": self.label_counts,
                "away": self.away,
                "giver": self.giver,
                "incidents": self.incidents,
            },
        )

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read a job file."""
        document = read_json(path)
        upscaled_to = document["upscaled_to"]
        return cls(
            problem=LayerAssignment.from_document(document["instance"]),
            legs=tuple(Leg.from_document(leg) for leg in document["legs"]),
            settings=RunSettings.from_document(document["settings"]),
            folder=path.parent,
            white=document["white"],
            upscaled_to=None if upscaled_to is None else tuple(upscaled_to),
            holders=tuple(document["holders"]),
            label_counts=tuple(tuple(counts) for counts in document["label_counts"]),
            away=tuple(document["away"]),
            giver=document["giver"],
            incidents=tuple(document["incidents"]),
        )


def prepare(problem: LayerAssignment, plan: Plan, settings: RunSettings, *, out: Path) -> Job:
    """Validate a run and write its job file and shards.

    Parameters
    ----------
    problem, plan, settings
        What is run, and how.
    out
        Folder of the run; made if missing, what an earlier run left in it is replaced.

    Raises
    ------
    UsageError
        When the plan cannot be run on this instance, network and data.
    """
    settings = replace(settings, emulation=chosen_mode(settings.emulation))
    network = validated(problem, plan, settings)
    training, test = read_samples(settings.data, settings.seed)
    upscaled_to = input_size(network, training)
    holders = (*(stage.node for stage in plan.stages), *_spares(problem, plan, settings.spares))
    shards = split_by_label(
        training.groups,
        len(holders),
        alpha=settings.alpha,
        at_least=problem.instance.training.batch_size,
        seed=settings.seed,
    )
    parts = [training.take(indices) for indices in shards]
    sizes = {node: len(indices) for node, indices in zip(holders, shards, strict=True)}
    one = Shard(training.take(np.zeros(1, dtype=np.int64)), upscaled_to)
    check_private(settings.privacy, network, one, sizes)
    num_labels = int(training.groups.max()) + 1
    counts = tuple(tuple(np.bincount(part.groups, minlength=num_labels).tolist()) for part in parts)
    legs = (Leg(plan),)
    job = Job(problem, legs, settings, out.resolve(), training.white, upscaled_to, holders, counts)
    _write(job, parts, test)
    return job


def _spares(problem: LayerAssignment, plan: Plan, num: int) -> list[str]:
    """Return the fastest nodes that the plan leaves idle, the server left out."""
    used = {problem.server, *(stage.node for stage in plan.stages)}
    idle = [node for node in problem.instance.network.nodes if node.id not in used]
    if num > len(idle):
        raise UsageError(f"spares {num}: the plan leaves {len(idle)} nodes idle; ask for no more")
    return [node.id for node in sorted(idle, key=lambda node: -node.flops_per_s)[:num]]


def _write(job: Job, parts: Sequence[Samples], test: Samples) -> None:
    forget_earlier_run(job.folder, job.world_size)
    for seat, part in enumerate(parts):
        write_samples(part, job.folder, str(seat))
    write_samples(test, job.folder, TEST)
    job.write()
