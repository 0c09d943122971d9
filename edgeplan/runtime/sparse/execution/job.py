"""The job file: all that a process needs to play its part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from edgeplan.models.network import Network
from edgeplan.models.sparse_update import SparsePlan, SparseUpdate, SparseUpdateInstance
from edgeplan.models.sparse_update.plan_cost import PlanCost
from edgeplan.runtime.emulation.links import Links
from edgeplan.runtime.emulation.modes import chosen_mode
from edgeplan.runtime.processes.records import forget_earlier_run, job_path, read_json, write_json
from edgeplan.runtime.processes.supervision import Crew
from edgeplan.runtime.sparse.execution.course import Leg
from edgeplan.runtime.sparse.execution.phases import DENSE, PLAN, Phase, dense_cost
from edgeplan.runtime.sparse.execution.remainder import remainder
from edgeplan.runtime.sparse.execution.settings import NONE, RunSettings
from edgeplan.runtime.sparse.execution.validation import validate
from edgeplan.runtime.sparse.workload import Workload, WorkloadSettings, is_start_of, settings_in

PROGRAM = "edgeplan.runtime.sparse.execution.worker"
LEAST_TIMEOUT_S = 600.0
TIMEOUT_ROUNDS = 20.0


def parameters_path(folder: Path) -> Path:
    """Where the trained parameters and buffers stand, by name, as ``torch.save`` writes them."""
    return folder / "parameters.pt"


@dataclass(frozen=True)
class Job:
    """A validated run.

    Parameters
    ----------
    problem, plan, settings
        What is run, and how.
    workload
        What is trained; its start is kept already.
    same_start
        Whether the instance was made from this start.
    folder
        Holds the job, and later the report.
    legs
        The course of the run; the devices of the last leg take part now.
    """

    problem: SparseUpdate
    plan: SparsePlan
    settings: RunSettings
    workload: Workload
    same_start: bool
    folder: Path
    legs: tuple[Leg, ...] = (Leg(),)

    @property
    def path(self) -> Path:
        """Where the job file stands."""
        return job_path(self.folder)

    @property
    def names(self) -> tuple[str, ...]:
        """Ids of all devices."""
        return tuple(device.id for device in self.problem.instance.devices)

    def index_of(self, name: str) -> int:
        """Index of a device among all of the instance, the same in every leg."""
        return self.problem.instance.device_index[name]

    def in_leg(self, index: int) -> Job:
        """Return the job as it was in one of its legs."""
        return self if index == len(self.legs) - 1 else replace(self, legs=self.legs[: index + 1])

    @property
    def away(self) -> frozenset[str]:
        """Devices that were lost."""
        return frozenset(one.node for leg in self.legs for one in leg.lost)

    @cached_property
    def _left(self) -> tuple[SparseUpdate, SparsePlan]:
        return remainder(self.problem, self.plan, self.away)

    @property
    def instance(self) -> SparseUpdateInstance:
        """The instance with the devices that are left."""
        return self._left[0].instance

    @cached_property
    def present(self) -> tuple[str, ...]:
        """Ids of the devices that are left; a device's rank is its index among them."""
        return tuple(device.id for device in self.instance.devices)

    @property
    def crew(self) -> Crew:
        """The processes, one a device that is left."""
        names = tuple(f"device {name}" for name in self.present)
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
        """What joins the devices."""
        return links_of(self.instance)

    @property
    def hops(self) -> tuple[tuple[int, int], ...]:
        """Ranks whose links are tried, as sender and receiver: every device and the next."""
        num = len(self.present)
        return tuple((rank, (rank + 1) % num) for rank in range(num)) if num > 1 else ()

    @cached_property
    def phases(self) -> tuple[Phase, ...]:
        """What is run, one after the other."""
        problem, plan_left = self._left
        plan = Phase(PLAN, problem.cost(plan_left))
        dense = None if self.settings.baseline == NONE else dense_cost(problem.instance)
        return (plan,) if dense is None else (plan, Phase(DENSE, dense))

    def round_s(self, cost: PlanCost) -> float:
        """Predicted seconds of a round: the slowest device's steps, and the collectives."""
        return cost.round_s(self.settings.local_steps)

    @property
    def timeout_s(self) -> float:
        """Longest wait of one process for another, in seconds."""
        longest_s = max(self.round_s(phase.cost) for phase in self.phases)
        return self.settings.timeout_s or max(LEAST_TIMEOUT_S, TIMEOUT_ROUNDS * self.slower * longest_s)

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
                "workload": self.workload.settings.to_document(),
                "starts": str(self.workload.path.parent.resolve()),
                "same_start": self.same_start,
                "course": [leg.to_document() for leg in self.legs],
            },
        )

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read a job file."""
        document = read_json(path)
        return cls(
            problem=SparseUpdate.from_document(document["instance"]),
            plan=SparsePlan.from_document(document["plan"]),
            settings=RunSettings.from_document(document["settings"]),
            workload=Workload(WorkloadSettings.from_document(document["workload"]), Path(document["starts"])),
            same_start=document["same_start"],
            folder=path.parent,
            legs=tuple(Leg.from_document(leg) for leg in document["course"]),
        )


def links_of(instance: SparseUpdateInstance) -> Links:
    """Return what joins the devices, in their order."""
    network, names = instance.network, [device.id for device in instance.devices]
    if isinstance(network, Network):
        return Links.of(network, names)
    return Links.shared(network.latency_s, network.bit_per_s, len(names))


def prepare(
    problem: SparseUpdate, plan: SparsePlan, notes: Mapping[str, Any], settings: RunSettings, *, out: Path
) -> Job:
    """Validate a run, make the start where it is not kept yet, and write the job file.

    Parameters
    ----------
    problem, plan, settings
        What is run, and how.
    notes
        The instance as plain JSON with its notes, which say what is trained.
    out
        Folder of the run; made if missing, what an earlier run left in it is replaced.

    Raises
    ------
    UsageError
        When the instance does not say what is trained, or the plan cannot be run.
    InvalidInputError
        With every fault of the note.
    """
    settings = replace(settings, emulation=chosen_mode(settings.emulation))
    workload = Workload(settings_in(notes))
    validate(problem, plan, workload, settings)
    workload.prepare()
    job = Job(problem, plan, settings, workload, is_start_of(workload, notes), out.resolve())
    forget_earlier_run(job.folder, len(job.names))
    job.write()
    return job
