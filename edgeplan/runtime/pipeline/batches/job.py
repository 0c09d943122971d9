"""The job file: all that a process needs to play its part, beside the images in the same folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from torch import Tensor, nn

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.layer_assignment.plan_cost import PlanCost, VisitCost
from edgeplan.runtime.data.samples import read_samples
from edgeplan.runtime.data.shards import read_shard, write_samples
from edgeplan.runtime.emulation.holding import slower_for
from edgeplan.runtime.emulation.links import Links
from edgeplan.runtime.emulation.modes import NONE, chosen_mode
from edgeplan.runtime.learning.training import Shard
from edgeplan.runtime.pipeline.batches.validation import validated
from edgeplan.runtime.pipeline.course import Leg
from edgeplan.runtime.pipeline.stages.calibration import time_passes
from edgeplan.runtime.pipeline.stages.chain import layers_of
from edgeplan.runtime.processes.records import forget_earlier_run, job_path, read_json, write_json
from edgeplan.runtime.processes.supervision import Crew
from edgeplan.runtime.profiling import build
from edgeplan.runtime.profiling.trial import threads_limited
from edgeplan.runtime.snake.settings import RunSettings

BatchesLeg = Leg[LayerAssignment, Plan]

PROGRAM = "edgeplan.runtime.pipeline.batches.worker"
TRAINING, TEST = "training", "test"
LEAST_TIMEOUT_S = 600.0
TIMEOUT_BATCHES = 20.0


@dataclass(frozen=True)
class BatchJob:
    """A validated run.

    Parameters
    ----------
    settings
        How it is run.
    folder
        Holds the job, the images, and later the report.
    white
        Largest value of a pixel.
    upscaled_to
        Channels, height and width that images are brought to; None keeps them.
    legs
        The course of the run; the nodes of the last leg take part now.
    giver
        A node that has no stage any more, and alone has kept where the leg begins; it has the last rank.
    """

    settings: RunSettings
    folder: Path
    white: int | None
    upscaled_to: tuple[int, ...] | None
    legs: tuple[BatchesLeg, ...]
    giver: str | None = None

    @property
    def whole(self) -> LayerAssignment:
        """The instance with all nodes."""
        return self.legs[0].problem

    @property
    def leg(self) -> BatchesLeg:
        """What is executed now."""
        return self.legs[-1]

    @property
    def problem(self) -> LayerAssignment:
        """The instance with the nodes left."""
        return self.leg.problem

    @property
    def plan(self) -> Plan:
        """The plan that is executed now."""
        return self.leg.plan

    def in_leg(self, index: int) -> BatchJob:
        """Return the job as it was in one of its legs."""
        last = index == len(self.legs) - 1
        return self if last else replace(self, legs=self.legs[: index + 1], giver=None)

    @property
    def num_seats(self) -> int:
        """How many nodes the instance has."""
        return len(self.whole.instance.network.nodes)

    @property
    def seats(self) -> tuple[int, ...]:
        """Places of the nodes in the instance, by rank; they are the same in every leg."""
        return tuple(self.whole.instance.network.index_of[name] for name in self.members)

    @property
    def path(self) -> Path:
        """Where the job file stands."""
        return job_path(self.folder)

    @property
    def nodes(self) -> tuple[str, ...]:
        """Ids of the nodes with stages; a node's rank is its stage, from 0."""
        return tuple(stage.node for stage in self.plan.stages)

    @property
    def members(self) -> tuple[str, ...]:
        """Ids of all nodes by rank."""
        return self.nodes if self.giver is None else (*self.nodes, self.giver)

    @property
    def crew(self) -> Crew:
        """The processes, one a node."""
        names = tuple(f"node {name}" for name in self.members)
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
        return self.settings.slower or self.leg.slower or 1.0

    @property
    def ranks(self) -> tuple[int, ...]:
        """Ranks of the stages."""
        return tuple(range(len(self.nodes)))

    @property
    def num_micro_batches(self) -> int:
        """Micro-batches of a batch, N."""
        return self.problem.instance.micro_batches

    @cached_property
    def cost(self) -> PlanCost:
        """What equations (9) to (11) say."""
        return self.problem.cost(self.plan)

    def in_flight(self, rank: int) -> int:
        """Micro-batches that a stage holds, f in (9)."""
        return self.problem.pipeline.in_flight(len(self.nodes) - rank)

    def hop_bytes(self, rank: int) -> int:
        """Bytes of an activation behind a stage, and of the gradient back."""
        visit: VisitCost = self.cost.visits[rank + 1]
        return self.problem.pipeline.cut_bytes[visit.visit.own_layers[0]]

    def whole_s(self, rank: int) -> float:
        """Seconds of a micro-batch through the whole network on a stage's node, (10)."""
        instance = self.problem.instance
        node = instance.network.nodes[instance.network.index_of[self.nodes[rank]]]
        return self.problem.pipeline.compute_s(node, range(len(instance.model.layers)))

    @cached_property
    def links(self) -> Links:
        """What joins the nodes."""
        return Links.of(self.problem.instance.network, self.members)

    @property
    def timeout_s(self) -> float:
        """Longest wait of one process for another, in seconds."""
        assert self.cost.time_s is not None
        longest_s = self.slower * self.cost.time_s
        return self.settings.timeout_s or max(LEAST_TIMEOUT_S, TIMEOUT_BATCHES * longest_s)

    def seeded_layers(self) -> dict[str, nn.Module]:
        """Build the network as every process begins with it, layer by layer."""
        model = self.problem.instance.model
        return layers_of(build(self.settings.network or model.name, seed=self.settings.seed))

    def images(self, name: str) -> Shard:
        """Read the images of ``training`` or ``test``."""
        return Shard(read_shard(self.folder, name, self.white), self.upscaled_to)

    def micro_batch(self) -> Tensor:
        """Return a micro-batch of the first stage."""
        size = self.problem.pipeline.micro_batch_size
        return self.images(TEST).inputs[:1].expand(size, -1, -1, -1).contiguous()

    def write(self) -> None:
        """Write the job file."""
        write_json(
            self.path,
            {
                "format": "edgeplan/1",
                "kind": "run_job",
                "settings": self.settings.to_document(),
                "white": self.white,
                "upscaled_to": self.upscaled_to,
                "batches_by": [leg.to_document() for leg in self.legs],
                "giver": self.giver,
            },
        )

    @classmethod
    def read(cls, path: Path) -> BatchJob:
        """Read a job file."""
        document = read_json(path)
        upscaled_to = document["upscaled_to"]
        return cls(
            settings=RunSettings.from_document(document["settings"]),
            folder=path.parent,
            white=document["white"],
            upscaled_to=None if upscaled_to is None else tuple(upscaled_to),
            legs=tuple(Leg.from_document(leg, LayerAssignment) for leg in document["batches_by"]),
            giver=document["giver"],
        )


def prepare(problem: LayerAssignment, plan: Plan, settings: RunSettings, *, out: Path) -> BatchJob:
    """Validate a run and write its job file and images.

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
    training, test = read_samples(settings.data, settings.seed)
    upscaled_to = validated(problem, plan, settings, training)
    job = BatchJob(settings, out.resolve(), training.white, upscaled_to, (Leg(problem, plan),))
    forget_earlier_run(job.folder, job.num_seats)
    write_samples(training, job.folder, TRAINING)
    write_samples(test, job.folder, TEST)
    job.write()
    return job


def slowed(job: BatchJob) -> BatchJob:
    """Settle the factor of a job's leg where settings leave it open, from a trial in this process."""
    if job.settings.emulation == NONE or job.settings.slower is not None:
        return job
    with threads_limited(job.settings.threads):
        whole = time_passes(nn.Sequential(*job.seeded_layers().values()), job.micro_batch())
    slower = slower_for([whole.processor_s / job.whole_s(rank) for rank in job.ranks])
    job = replace(job, legs=(*job.legs[:-1], replace(job.leg, slower=slower)))
    job.write()
    return job


def flops_of(job: BatchJob) -> float:
    """FLOPs of a micro-batch through the whole network."""
    return job.problem.pipeline.micro_batch_size * sum(job.problem.pipeline.layer_flops)
