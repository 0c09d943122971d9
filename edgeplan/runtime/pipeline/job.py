"""The job file: all that a process needs to play its part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.runtime.emulation.modes import chosen_mode
from edgeplan.runtime.pipeline.participants import SERVER, Participant, participants
from edgeplan.runtime.pipeline.settings import RunSettings
from edgeplan.runtime.pipeline.slots import PlannedSlot, planned_slots
from edgeplan.runtime.pipeline.stages.chain import Chain
from edgeplan.runtime.pipeline.validation import validated
from edgeplan.runtime.processes.records import forget_earlier_run, job_path, read_json, write_json
from edgeplan.runtime.processes.supervision import Crew
from edgeplan.runtime.profiling import build

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
    problem, plan, settings
        What is run, and how.
    num_slots
        Slots of the plan that are executed, from the first.
    folder
        Holds the job, and later the report.
    """

    problem: SegmentScheduling
    plan: SegmentPlan
    settings: RunSettings
    num_slots: int
    folder: Path

    @property
    def path(self) -> Path:
        """Where the job file stands."""
        return job_path(self.folder)

    @cached_property
    def cast(self) -> tuple[Participant, ...]:
        """The participants by rank."""
        return participants(self.problem.instance, self.plan.slots[: self.num_slots])

    @cached_property
    def slots(self) -> tuple[PlannedSlot, ...]:
        """The slots that are executed."""
        return planned_slots(self.problem, self.plan, self.num_slots, self.cast)

    @property
    def crew(self) -> Crew:
        """The processes, one a participant."""
        names = tuple(one.name if one.role == SERVER else f"{one.role} {one.name}" for one in self.cast)
        return Crew(PROGRAM, self.path, names, self.settings.threads)

    @property
    def slower(self) -> float:
        """Seconds here for a second of the instance."""
        return self.settings.slower or 1.0

    @property
    def timeout_s(self) -> float:
        """Longest wait of one process for another, in seconds."""
        longest_s = max(slot.latency_s for slot in self.slots)
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
                "instance": self.problem.to_document(),
                "plan": self.plan.to_document(),
                "settings": self.settings.to_document(),
                "num_slots": self.num_slots,
            },
        )

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read a job file."""
        document = read_json(path)
        return cls(
            problem=SegmentScheduling.from_document(document["instance"]),
            plan=SegmentPlan.from_document(document["plan"]),
            settings=RunSettings.from_document(document["settings"]),
            num_slots=document["num_slots"],
            folder=path.parent,
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
    job = Job(problem, plan, settings, validated(problem, plan, settings), out.resolve())
    forget_earlier_run(job.folder, len(job.cast))
    job.write()
    return job
