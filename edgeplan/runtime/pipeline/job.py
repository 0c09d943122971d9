"""The job file: all that a process needs to play its part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.runtime.emulation.links import Links
from edgeplan.runtime.emulation.modes import chosen_mode
from edgeplan.runtime.pipeline.course import Leg
from edgeplan.runtime.pipeline.participants import SERVER, Participant, everybody, participants
from edgeplan.runtime.pipeline.settings import RunSettings
from edgeplan.runtime.pipeline.slots import PlannedSlot, links_between, planned_slots
from edgeplan.runtime.pipeline.stages.chain import Chain
from edgeplan.runtime.pipeline.validation import validated
from edgeplan.runtime.processes.records import forget_earlier_run, job_path, read_json, write_json
from edgeplan.runtime.processes.supervision import Crew
from edgeplan.runtime.profiling import build

SlotsLeg = Leg[SegmentScheduling, SegmentPlan]

PROGRAM = "edgeplan.runtime.pipeline.worker"
LEAST_TIMEOUT_S = 600.0
TIMEOUT_SLOTS = 20.0


def parameters_path(folder: Path) -> Path:
    """Where the trained parameters stand, one vector of float32 in the order of the network's layers."""
    return folder / "parameters.npy"


@dataclass(frozen=True)
class Job:
    """A validated run.

    Parameters
    ----------
    settings
        How it is run.
    num_slots
        Slots of the plan that are executed, from the first.
    folder
        Holds the job, and later the report.
    legs
        The course of the run; the participants of the last leg take part now.
    """

    settings: RunSettings
    num_slots: int
    folder: Path
    legs: tuple[SlotsLeg, ...]

    @property
    def problem(self) -> SegmentScheduling:
        """The instance with everybody."""
        return self.legs[0].problem

    @property
    def leg(self) -> SlotsLeg:
        """What is executed now."""
        return self.legs[-1]

    def in_leg(self, index: int) -> Job:
        """Return the job as it was in one of its legs."""
        return self if index == len(self.legs) - 1 else replace(self, legs=self.legs[: index + 1])

    @property
    def path(self) -> Path:
        """Where the job file stands."""
        return job_path(self.folder)

    @cached_property
    def everybody(self) -> tuple[Participant, ...]:
        """All participants of the instance by seat, the same in every leg."""
        return everybody(self.problem.instance)

    @property
    def away(self) -> frozenset[str]:
        """Devices that were lost, and clusters that take no part any more; a server has no substitute."""
        servers = {one.name for one in self.everybody if one.role == SERVER}
        left = {cluster.id for cluster in self.leg.problem.instance.clusters}
        lost = {one.node for leg in self.legs for one in leg.lost} - servers
        return frozenset(lost | ({cluster.id for cluster in self.problem.instance.clusters} - left))

    @cached_property
    def cast(self) -> tuple[Participant, ...]:
        """The participants by rank."""
        slots = self.leg.plan.slots[: len(self._numbers)]
        return participants(self.problem.instance, slots, self.away)

    @property
    def _numbers(self) -> range:
        return range(self.leg.since + 1, self.num_slots + 1)

    @cached_property
    def slots(self) -> tuple[PlannedSlot, ...]:
        """The slots of this leg."""
        return planned_slots(self.leg.problem, self.leg.plan, self._numbers, self.cast)

    @property
    def links(self) -> Links:
        """What joins the processes when they start."""
        return self.slots[0].links(len(self.cast)) if self.slots else links_between({}, len(self.cast))

    @property
    def crew(self) -> Crew:
        """The processes, one a participant."""
        names = tuple(one.name if one.role == SERVER else f"{one.role} {one.name}" for one in self.cast)
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
    def timeout_s(self) -> float:
        """Longest wait of one process for another, in seconds."""
        longest_s = max((slot.latency_s for slot in self.slots), default=0.0)
        return self.settings.timeout_s or max(LEAST_TIMEOUT_S, TIMEOUT_SLOTS * self.slower * longest_s)

    def seeded_chain(self) -> Chain:
        """Build the network as every process begins with it."""
        model = self.problem.instance.model
        network = build(self.settings.network or model.name, seed=self.settings.seed)
        return Chain.of(network, [layer.name for layer in model.layers])

    def write(self) -> None:
        """Write the job file."""
        write_json(
            self.path,
            {
                "format": "edgeplan/1",
                "kind": "run_job",
                "settings": self.settings.to_document(),
                "num_slots": self.num_slots,
                "slots_by": [leg.to_document() for leg in self.legs],
            },
        )

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read a job file."""
        document = read_json(path)
        return cls(
            settings=RunSettings.from_document(document["settings"]),
            num_slots=document["num_slots"],
            folder=path.parent,
            legs=tuple(Leg.from_document(leg, SegmentScheduling) for leg in document["slots_by"]),
        )


def prepare(problem: SegmentScheduling, plan: SegmentPlan, settings: RunSettings, *, out: Path) -> Job:
    """Validate a run and write its job file.

    Parameters
    ----------
    problem, plan, settings
        What is run, and how.
    out
        Folder of the run; made if missing, what an earlier run left in it is replaced.

    Raises
    ------
    UsageError
        When the plan cannot be run on this instance and network.
    """
    settings = replace(settings, emulation=chosen_mode(settings.emulation))
    num_slots = validated(problem, plan, settings)
    job = Job(settings, num_slots, out.resolve(), (Leg(problem, plan),))
    forget_earlier_run(job.folder, len(job.cast))
    job.write()
    return job
