"""One process of a run: its device, and what it saw."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.distributed as dist

from edgeplan.errors import RunError
from edgeplan.models.sparse_update.order import order_faults
from edgeplan.runtime.emulation.modes import PROCESS
from edgeplan.runtime.emulation.pace import MACHINE, Pace
from edgeplan.runtime.processes.budget import MemoryBudget
from edgeplan.runtime.processes.clock import now_s
from edgeplan.runtime.processes.gathering import told_by_all
from edgeplan.runtime.processes.meeting import Meeting
from edgeplan.runtime.processes.records import Event
from edgeplan.runtime.sparse.execution.device.material import Material
from edgeplan.runtime.sparse.execution.exchange.aggregation import Aggregation, ranks_of
from edgeplan.runtime.sparse.execution.exchange.link import GlooLink, ShapeOf, Uplink, unshaped
from edgeplan.runtime.sparse.execution.exchange.ways import GLOO, Emulated, Gloo, Groups, Way
from edgeplan.runtime.sparse.execution.job import Job
from edgeplan.runtime.sparse.execution.phases import PLAN, Phase

DIGEST_BYTES = 32


@dataclass
class DeviceProcess:
    """What a process holds.

    Parameters
    ----------
    job, rank
        The run, and which device this is.
    material
        What is trained.
    way
        Runs collectives.
    meeting
        Of all processes.
    pace
        How fast it trains here.
    events
        What happened, in order.
    """

    job: Job
    rank: int
    material: Material
    way: Way
    meeting: Meeting
    pace: Pace = MACHINE
    events: list[Event] = field(default_factory=list)

    @classmethod
    def of(cls, job: Job, rank: int) -> DeviceProcess:
        """Read the start, and make the process groups of all collectives."""
        instance = job.problem.instance
        member_sets = [ranks_of(p.cost, one) for p in job.phases for one in p.cost.collectives]
        groups = Groups(member_sets, job.timeout_s)
        if job.settings.collectives == GLOO:
            way: Way = Gloo(groups)
        else:
            way = Emulated(rank, groups, shapes_of(job), flat=instance.broadcast == "flat")
        material = Material.of(job.workload, instance.training.batch_size)
        return cls(job, rank, material, way, Meeting(job.timeout_s))

    def budget(self, phase: Phase) -> MemoryBudget:
        """What the device's training may take; a baseline runs whatever it takes."""
        limited = self.job.settings.limits_memory and phase.name == PLAN
        return MemoryBudget(self.job.problem.instance.devices[self.rank].memory_bytes if limited else None)

    def link(self) -> GlooLink:
        """Return links to all devices, for what belongs to no collective."""
        return GlooLink(self.rank, None, Uplink(), shapes_of(self.job))

    def now_s(self) -> float:
        """Seconds of the instance, from some moment that all processes have in common."""
        return now_s() / self.job.slower

    def note(self, kind: str, **members: object) -> None:
        """Keep an event."""
        self.events.append({"event": kind, "rank": self.rank, **members})

    def check_order(self, aggregation: Aggregation) -> None:
        """Let all devices tell what they are going to run, and see that it fits together, (8).

        Raises
        ------
        RunError
            When the collectives would deadlock.
        """
        told = [tuple(sequence) for sequence in told_by_all(aggregation.sequence)]
        sequences = dict(zip(self.job.names, told, strict=True))
        faults = list(order_faults(aggregation.cost.collectives, sequences))
        if faults:
            raise RunError(f"the collectives do not fit together: {'; '.join(faults)}")

    def check_equal(self, fingerprint: str, place: str) -> None:
        """See that all replicas hold the same parameters, to the bit.

        Raises
        ------
        RunError
            When they do not.
        """
        own = torch.frombuffer(bytearray.fromhex(fingerprint), dtype=torch.uint8)
        told = [torch.empty(DIGEST_BYTES, dtype=torch.uint8) for _ in self.job.names]
        dist.all_gather(told, own)
        refuse_different([bytes(digest.tolist()) for digest in told], self.job.names, place)


def shapes_of(job: Job) -> ShapeOf:
    """Return the links that processes imitate between ranks."""
    return job.links.between if job.settings.emulation == PROCESS else unshaped


def refuse_different(digests: list[bytes], names: tuple[str, ...], place: str) -> None:
    """Raise where replicas differ.

    Raises
    ------
    RunError
        With the devices whose replicas differ from that of the first.

    Examples
    --------
    >>> refuse_different([b"a", b"a"], ("pi-0", "pi-1"), "round 1")
    >>> refuse_different([b"a", b"b"], ("pi-0", "pi-1"), "round 1")
    Traceback (most recent call last):
    edgeplan.errors.RunError: round 1: the replica of pi-1 is not that of pi-0
    """
    others = [name for name, digest in zip(names, digests, strict=True) if digest != digests[0]]
    if others:
        raise RunError(f"{place}: the replica of {', '.join(others)} is not that of {names[0]}")
