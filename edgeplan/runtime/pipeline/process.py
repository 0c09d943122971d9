"""One process of a run: whom it stands for, its copy of the network, and what it saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from edgeplan.models.segment_scheduling.instance import Device
from edgeplan.runtime.emulation.links import Links, Shape
from edgeplan.runtime.emulation.modes import NONE, PROCESS
from edgeplan.runtime.learning.workload import assign, flatten
from edgeplan.runtime.networks import CHARACTERS
from edgeplan.runtime.pipeline.job import Job
from edgeplan.runtime.pipeline.participants import CONTROL, SERVER, Participant
from edgeplan.runtime.pipeline.samples import Batch, Text
from edgeplan.runtime.pipeline.slots import PlannedCluster, PlannedSlot
from edgeplan.runtime.pipeline.stages.airtime import Airtime
from edgeplan.runtime.pipeline.stages.chain import Chain
from edgeplan.runtime.pipeline.stages.events import UNCOUNTED
from edgeplan.runtime.pipeline.stages.paces import Paces
from edgeplan.runtime.pipeline.stages.stage_process import StageProcess
from edgeplan.runtime.processes.exchange import ALL, exchanging
from edgeplan.runtime.processes.heartbeat import START_UP, Heart
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.meeting import Meeting
from edgeplan.runtime.processes.records import journal_path
from edgeplan.runtime.processes.rehearsal import strike_if_asked
from edgeplan.runtime.sparse.execution.exchange.link import GlooLink, Uplink, unshaped
from edgeplan.runtime.sparse.execution.exchange.ways import Groups

DECODER = "decoder"
AIRTIME = "airtime"
_NETWORK = "network"


@dataclass(kw_only=True)
class ParticipantProcess(StageProcess):
    """What a process holds, besides what every process of a pipeline does.

    Parameters
    ----------
    job
        The run.
    chain
        Its copy of the network, of which it uses its part.
    text
        What is learnt.
    heart
        Tells the supervisor that this process is there.
    """

    job: Job
    chain: Chain
    text: Text
    heart: Heart

    @classmethod
    def of(cls, job: Job, rank: int) -> ParticipantProcess:
        """Build the network, and make the process groups of all slots."""
        heart = Heart(rank)
        strike_if_asked(job.settings.faults, job.cast[rank].name, 1, START_UP)
        pipelines = [cluster.pipeline for slot in job.slots for cluster in slot.clusters]
        with exchanging(ALL):
            groups = Groups(pipelines, job.timeout_s)
        return cls(
            rank=rank,
            slower=job.slower,
            optimizer_bytes=job.problem.instance.training.optimizer_bytes,
            learning_rate=job.settings.learning_rate,
            meeting=Meeting(job.timeout_s),
            groups=groups,
            events=Journal(journal_path(job.folder, job.everybody.index(job.cast[rank]))),
            job=job,
            chain=job.seeded_chain(),
            text=Text.for_clusters(len(job.problem.instance.clusters)),
            heart=heart,
        )

    @property
    def participant(self) -> Participant:
        """Whom this process stands for."""
        return self.job.cast[self.rank]

    @cached_property
    def device(self) -> Device | None:
        """The device that this process stands for; None for others."""
        devices = self.job.problem.instance.clusters[self.participant.cluster].devices
        return next((device for device in devices if device.id == self.participant.name), None)

    @property
    def paces(self) -> Paces:
        """How fast the device computes."""
        imposed = self.device is not None and self.job.settings.emulation != NONE
        overhead_s = self.device.overhead_s * self.job.slower if self.device and imposed else 0.0
        return Paces(self.pace, self.pace, overhead_s)

    @property
    def seat(self) -> int:
        """The participant's place among everybody, the same whenever processes start again."""
        return self.job.everybody.index(self.participant)

    def begins(self, what: str, slot: PlannedSlot) -> None:
        """Begin a phase of a slot; a fault that was asked for strikes here."""
        self.heart.does(f"{what}, slot {slot.number}")
        strike_if_asked(self.job.settings.faults, self.participant.name, slot.number, what)

    def state(self) -> dict[str, Tensor]:
        """Return all that this process goes on from: its part of the network, and its optimizers' state."""
        return {_NETWORK: flatten(self._kept_parameters()), **self.optimizer_states()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` returned."""
        assign(self._kept_parameters(), state[_NETWORK])
        self.restore_optimizers(state, {**self.chain.blocks, DECODER: self.chain.decoder})

    def _kept_parameters(self) -> list[nn.Parameter]:
        """Parameters that are here between slots: devices are given theirs."""
        chain = self.chain
        encoder = chain.encoder_parameters() if self.participant.role in (CONTROL, SERVER) else []
        return [*encoder, *(chain.decoder.parameters() if self.participant.role == SERVER else ())]

    def begin(self, slot: PlannedSlot) -> None:
        """Wait for all processes, and note the beginning of a slot."""
        self.meeting.wait()
        self.note("begun", slot=slot.number, moment_s=self.now_s())

    @property
    def servers(self) -> list[int]:
        """Ranks of the server's sides."""
        return [rank for rank, one in enumerate(self.job.cast) if one.role == SERVER]

    def partner(self, role: str) -> int:
        """Rank of the control unit or the server's side of this process's cluster."""
        return next(
            rank
            for rank, one in enumerate(self.job.cast)
            if one.role == role and one.cluster == self.participant.cluster
        )

    def batch(self, slot: PlannedSlot, cluster: PlannedCluster) -> Batch:
        """Return what a cluster trains on in a slot."""
        return self.text.batch(cluster.index, slot.number, cluster.samples, seed=self.job.settings.seed)

    def hidden(self, num_samples: int) -> tuple[int, ...]:
        """Shape of what the embedding makes of so many samples."""
        return (num_samples, CHARACTERS, self._width)

    @cached_property
    def _width(self) -> int:
        with torch.no_grad():
            return int(self.chain.embedding(torch.zeros(1, CHARACTERS, dtype=torch.int64)).shape[-1])

    def give(self, slot: PlannedSlot, link: GlooLink, values: Tensor, target: int) -> None:
        """Send what no equation counts."""
        link.send(values, target)
        link.finish()
        self.note(UNCOUNTED, slot=slot.number, bytes=values.nbytes, target=target)

    def free_link(self) -> GlooLink:
        """Return links that take no time of the instance's."""
        return GlooLink(self.rank, None, Uplink(), unshaped)

    def link_to(self, slot: PlannedSlot, other: int) -> GlooLink:
        """Return the link to another participant in a slot; its band serves both ends in turn."""
        if self.job.settings.emulation != PROCESS:
            return self.free_link()
        shape = self.shape(slot, self.rank, other)
        return GlooLink(self.rank, None, Airtime(self.airtime_path(other)), lambda _source, _target: shape)

    def shape(self, slot: PlannedSlot, source: int, target: int) -> Shape:
        """Return the link between two participants in a slot, in seconds here."""
        links: Links = slot.links(len(self.job.cast)).slower(self.job.slower)
        return links.between(source, target)

    def airtime_path(self, other: int) -> Path:
        """Where the band to another participant is kept."""
        ends = sorted((self.rank, other))
        return self.job.folder / f"{AIRTIME}-{ends[0]}-{ends[1]}"
