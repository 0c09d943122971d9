"""One process of a run: its node, its layers, and what it saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgeplan.runtime.emulation.modes import PROCESS
from edgeplan.runtime.learning.training import Shard
from edgeplan.runtime.learning.workload import assign, flatten
from edgeplan.runtime.pipeline.batches.job import TRAINING, BatchJob
from edgeplan.runtime.pipeline.stages.stage_process import StageProcess
from edgeplan.runtime.processes.exchange import ALL, exchanging
from edgeplan.runtime.processes.heartbeat import START_UP, Heart
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.meeting import Meeting
from edgeplan.runtime.processes.records import journal_path
from edgeplan.runtime.processes.rehearsal import strike_if_asked
from edgeplan.runtime.sparse.execution.exchange.link import GlooLink, Uplink, unshaped
from edgeplan.runtime.sparse.execution.exchange.ways import Groups

_LAYER = "layer/"


@dataclass(kw_only=True)
class NodeProcess(StageProcess):
    """What a process holds, besides what every process of a pipeline does.

    Parameters
    ----------
    job
        The run.
    layers
        Its copy of the network, of which it trains its own layers.
    images
        Of the training; the first stage uses the pixels, the last one the labels.
    uplink
        The way out of the node, which its messages take one after another.
    heart
        Tells the supervisor that this process is there.
    """

    job: BatchJob
    layers: dict[str, nn.Module]
    images: Shard
    uplink: Uplink
    heart: Heart

    @classmethod
    def of(cls, job: BatchJob, rank: int) -> NodeProcess:
        """Build the network and read the images."""
        heart = Heart(rank)
        strike_if_asked(job.settings.faults, job.members[rank], 1, START_UP)
        with exchanging(ALL):
            groups = Groups([job.ranks], job.timeout_s)
        return cls(
            rank=rank,
            slower=job.slower,
            optimizer_bytes=job.problem.instance.training.optimizer_bytes,
            learning_rate=job.settings.learning_rate,
            meeting=Meeting(job.timeout_s),
            groups=groups,
            events=Journal(journal_path(job.folder, job.seats[rank])),
            job=job,
            layers=job.seeded_layers(),
            images=job.images(TRAINING),
            uplink=Uplink(),
            heart=heart,
        )

    @property
    def has_stage(self) -> bool:
        """Whether this node trains layers."""
        return self.rank in self.job.ranks

    @property
    def seat(self) -> int:
        """The node's place in the instance, the same whenever processes start again."""
        return self.job.seats[self.rank]

    def note(self, kind: str, **members: object) -> None:
        """Keep an event."""
        super().note(kind, leg=len(self.job.legs) - 1, **members)

    def begins(self, what: str, number: int) -> None:
        """Begin a phase of a batch; a fault that was asked for strikes here."""
        self.heart.does(f"{what}, batch {number}")
        strike_if_asked(self.job.settings.faults, self.job.members[self.rank], number, what)

    def state(self) -> dict[str, Tensor]:
        """Return this node's layers, and the state of their optimizers."""
        layers = self.own(self.rank)
        own = {f"{_LAYER}{name}": flatten([*layer.parameters()]) for name, layer in layers.items()}
        return own | self.optimizer_states()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from the state of all layers: of the optimizers, this node has those of its own."""
        for name, layer in self.layers.items():
            assign([*layer.parameters()], state[f"{_LAYER}{name}"])
        self.restore_optimizers(state, self.own(self.rank))

    def take(self, state: Mapping[str, Tensor]) -> None:
        """Take layers of other nodes."""
        for path, values in state.items():
            if path.startswith(_LAYER):
                assign([*self.layers[path.removeprefix(_LAYER)].parameters()], values)

    def own(self, rank: int) -> dict[str, nn.Module]:
        """Layers of a stage; a node without one has none."""
        if rank not in self.job.ranks:
            return {}
        return {name: self.layers[name] for name in self.job.plan.stages[rank].layers}

    def given(self) -> Tensor:
        """Return a micro-batch as it comes into this stage."""
        before = [layer for rank in range(self.rank) for layer in self.own(rank).values()]
        with torch.no_grad():
            passed: Tensor = nn.Sequential(*before)(self.job.micro_batch())
        return passed.clone()

    def link(self) -> GlooLink:
        """Return the links to all other nodes."""
        is_imitated = self.job.settings.emulation == PROCESS
        shapes = self.job.links.slower(self.slower).between if is_imitated else unshaped
        return GlooLink(self.rank, None, self.uplink, shapes)

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        """Return images and labels of a batch, counted from 1."""
        settings, training = self.job.settings, self.job.problem.instance.training
        (batch,) = self.images.batches(
            seed=settings.seed, node=0, visit=number - 1, batch_size=training.batch_size, steps=1
        )
        return batch
