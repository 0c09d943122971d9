"""One process of a run: its device, and what it saw."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist

from edgeplan.errors import RunError
from edgeplan.models.sparse_update.order import order_faults
from edgeplan.runtime.emulation.modes import PROCESS
from edgeplan.runtime.emulation.pace import MACHINE, Pace
from edgeplan.runtime.processes.budget import MemoryBudget
from edgeplan.runtime.processes.clock import now_s
from edgeplan.runtime.processes.exchange import ALL, exchanging
from edgeplan.runtime.processes.gathering import told_by_all
from edgeplan.runtime.processes.heartbeat import START_UP, Heart
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.meeting import Meeting
from edgeplan.runtime.processes.records import journal_path
from edgeplan.runtime.processes.rehearsal import strike_if_asked
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
    heart
        Tells the supervisor that this process is there.
    events
        What happened, in order.
    pace
        How fast it trains here.
    """

    job: Job
    rank: int
    material: Material
    way: Way
    meeting: Meeting
    heart: Heart
    events: Journal
    pace: Pace = MACHINE

    @classmethod
    def of(cls, job: Job, rank: int) -> DeviceProcess:
        """Read the start, and make the process groups of all collectives."""
        heart = Heart(rank)
        strike_if_asked(job.settings.faults, job.present[rank], 1, START_UP)
        instance = job.instance
        member_sets = [ranks_of(p.cost, one) for p in job.phases for one in p.cost.collectives]
        with exchanging(ALL):
            groups = Groups(member_sets, job.timeout_s)
        if job.settings.collectives == GLOO:
            way: Way = Gloo(groups)
        else:
            way = Emulated(rank, groups, shapes_of(job), flat=instance.broadcast == "flat")
        material = Material.of(job.workload, instance.training.batch_size)
        journal = Journal(journal_path(job.folder, job.index_of(job.present[rank])))
        return cls(job, rank, material, way, Meeting(job.timeout_s), heart, journal)

    @property
    def name(self) -> str:
        """Id of the device."""
        return self.job.present[self.rank]

    @property
    def index(self) -> int:
        """Index of the device among all of the instance: whose images it has, and what its events say."""
        return self.job.index_of(self.name)

    def begins(self, what: str, phase: Phase, number: int) -> None:
        """Begin a part of a round; a fault that was asked for strikes here."""
        self.heart.does(f"{what}, round {number}{'' if phase.name == PLAN else f' of {phase.name}'}")
        strike_if_asked(self.job.settings.faults, self.name, number, what)

    def budget(self, phase: Phase) -> MemoryBudget:
        """What the device's training may take; a baseline runs whatever it takes."""
        limited = self.job.settings.limits_memory and phase.name == PLAN
        return MemoryBudget(self.job.instance.devices[self.rank].memory_bytes if limited else None)

    def link(self) -> GlooLink:
        """Return links to all devices, for what belongs to no collective."""
        return GlooLink(self.rank, None, Uplink(), shapes_of(self.job))

    def now_s(self) -> float:
        """Seconds of the instance, from some moment that all processes have in common."""
        return now_s() / self.job.slower

    def note(self, kind: str, **members: object) -> None:
        """Keep an event; its rank is the device's while all are there."""
        place = {"rank": self.index, "leg": len(self.job.legs) - 1}
        self.events.append({"event": kind, **place, **members})

    def check_order(self, aggregation: Aggregation) -> None:
        """Let all devices tell what they are going to run, and see that it fits together, (8).

        Raises
        ------
        RunError
            When the collectives would deadlock.
        """
        told = [tuple(sequence) for sequence in told_by_all(aggregation.sequence)]
        sequences = dict(zip(self.job.present, told, strict=True))
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
        told = [torch.empty(DIGEST_BYTES, dtype=torch.uint8) for _ in self.job.present]
        with exchanging(ALL):
            dist.all_gather(told, own)
        refuse_different([bytes(digest.tolist()) for digest in told], self.job.present, place)


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
