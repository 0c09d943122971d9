"""The job file: all that a process needs to play its part, beside the shards in the same folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.runtime.emulation.links import Links
from edgeplan.runtime.emulation.modes import chosen_mode
from edgeplan.runtime.processes.records import forget_earlier_run
from edgeplan.runtime.processes.supervision import Crew
from edgeplan.runtime.snake import itinerary, validation
from edgeplan.runtime.snake.data.divergence import divergences
from edgeplan.runtime.snake.data.samples import Samples, read_samples
from edgeplan.runtime.snake.data.shards import read_shard, split_by_label, write_samples
from edgeplan.runtime.snake.device.workload import Workload
from edgeplan.runtime.snake.records import read_json, write_json
from edgeplan.runtime.snake.settings import RunSettings

JOB_FILE = "job.json"
PROGRAM = "edgeplan.runtime.snake.worker"
TEST = "test"
LEAST_TIMEOUT_S = 600.0
TIMEOUT_ROUNDS = 20.0


@dataclass(frozen=True)
class Job:
    """A validated run.

    Parameters
    ----------
    problem, plan, settings
        What is run, and how.
    folder
        Holds the job, the shards, and later the report.
    white
        Largest value of a pixel in the shards; None for text.
    upscaled_to
        Channels, height and width that images are brought to; None keeps them.
    label_counts
        For each stage its training samples by label.
    """

    problem: LayerAssignment
    plan: Plan
    settings: RunSettings
    folder: Path
    white: int | None
    upscaled_to: tuple[int, ...] | None
    label_counts: tuple[tuple[int, ...], ...]

    @property
    def path(self) -> Path:
        """Where the job file stands."""
        return self.folder / JOB_FILE

    @cached_property
    def visits(self) -> tuple[itinerary.PlannedVisit, ...]:
        """The visits of one round."""
        return itinerary.planned_visits(self.problem, self.plan)

    @property
    def server_rank(self) -> int | None:
        """Rank of the server's process; None with transport peer."""
        return itinerary.server_rank(self.problem, self.plan)

    @property
    def world_size(self) -> int:
        """Number of processes."""
        return itinerary.world_size(self.problem, self.plan)

    def node_of(self, rank: int) -> str:
        """Id of the node that a process stands for."""
        return itinerary.node_of_rank(self.problem, self.plan, rank)

    @property
    def crew(self) -> Crew:
        """The processes: one a stage, and one for the server."""
        names = tuple(f"node {self.node_of(rank)}" for rank in range(self.world_size))
        return Crew(PROGRAM, self.path, names, self.settings.threads)

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

    def distils(self, stage: int) -> bool:
        """Say whether a visit to a stage's node has a teacher, since its labels are unlike those of all."""
        return self.settings.distill > 0.0 and self.divergences[stage] > self.settings.distill_above

    def num_samples(self, stage: int) -> int:
        """Training samples of a stage's node."""
        return sum(self.label_counts[stage])

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
        """Read the shard of a stage, or ``test``."""
        return read_shard(self.folder, str(name), self.white)

    def write(self) -> None:
        """Write the job file."""
        write_json(
            self.path,
            {
                "format": "edgeplan/1",
                "kind": "run_job",
                "instance": self.problem.to_document(),
                "plan": self.plan.to_document(),
                "settings": self.settings.to_document(),
                "white": self.white,
                "upscaled_to": self.upscaled_to,
                "label_counts": self.label_counts,
            },
        )

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read a job file."""
        document = read_json(path)
        upscaled_to = document["upscaled_to"]
        return cls(
            problem=LayerAssignment.from_document(document["instance"]),
            plan=Plan.from_document(document["plan"]),
            settings=RunSettings.from_document(document["settings"]),
            folder=path.parent,
            white=document["white"],
            upscaled_to=None if upscaled_to is None else tuple(upscaled_to),
            label_counts=tuple(tuple(counts) for counts in document["label_counts"]),
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
    network = validation.validated(problem, plan, settings)
    training, test = read_samples(settings.data, settings.seed)
    upscaled_to = validation.input_size(network, training)
    shards = split_by_label(
        training.groups,
        len(plan.stages),
        alpha=settings.alpha,
        at_least=problem.instance.training.batch_size,
        seed=settings.seed,
    )
    parts = [training.take(indices) for indices in shards]
    num_labels = int(training.groups.max()) + 1
    counts = tuple(tuple(np.bincount(part.groups, minlength=num_labels).tolist()) for part in parts)
    job = Job(problem, plan, settings, out.resolve(), training.white, upscaled_to, counts)
    _write(job, parts, test)
    return job


def _write(job: Job, parts: Sequence[Samples], test: Samples) -> None:
    forget_earlier_run(job.folder, job.world_size)
    for stage, part in enumerate(parts):
        write_samples(part, job.folder, str(stage))
    write_samples(test, job.folder, TEST)
    job.write()
