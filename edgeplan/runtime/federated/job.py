"""The job file: all that a process needs to play its part, beside the shards in the same folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from edgeplan.models.federated import Client, FederatedSchedule, StatedSchedule
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.runtime.data.samples import Samples, read_samples
from edgeplan.runtime.data.shards import read_shard, split_by_label, write_samples
from edgeplan.runtime.emulation.links import Links
from edgeplan.runtime.emulation.modes import NONE, chosen_mode
from edgeplan.runtime.federated.settings import RunSettings
from edgeplan.runtime.federated.validation import check_batches, check_rehearsal, check_settings
from edgeplan.runtime.learning.privacy.validation import check_private
from edgeplan.runtime.learning.training import Shard
from edgeplan.runtime.learning.validation import check_training, input_size, network_of
from edgeplan.runtime.learning.workload import Workload
from edgeplan.runtime.processes.records import Event, forget_earlier_run, job_path, read_json, write_json
from edgeplan.runtime.processes.supervision import Crew

PROGRAM = "edgeplan.runtime.federated.worker"
TEST = "test"
LOST = "lost"
OF_ROUNDS = frozenset({"took_part", "told", "scored", LOST})
LEAST_TIMEOUT_S = 600.0
TIMEOUT_ROUNDS = 20.0


@dataclass(frozen=True)
class Ending:
    """Where an earlier start of the run came to its end.

    Parameters
    ----------
    rounds_made
        Rounds that the server had kept by then.
    how, doing
        How the server was lost, and what it did when it was last heard; None: it was not.
    """

    rounds_made: int
    how: str | None = None
    doing: str | None = None


@dataclass(frozen=True)
class Job:
    """A validated run: ranks 0 to K-1 are the clients, rank K is the server.

    Parameters
    ----------
    stated, settings
        What is run, and how.
    folder
        Holds the job, the shards, and later the report.
    white
        Largest value of a pixel in the shards.
    upscaled_to
        Channels, height and width that images are brought to; None keeps them.
    label_counts
        For each client its training samples by label.
    endings
        Of earlier starts of the run.
    away
        Clients that were lost in those.
    """

    stated: StatedSchedule
    settings: RunSettings
    folder: Path
    white: int | None
    upscaled_to: tuple[int, ...] | None
    label_counts: tuple[tuple[int, ...], ...]
    endings: tuple[Ending, ...] = ()
    away: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Where the job file stands."""
        return job_path(self.folder)

    @property
    def problem(self) -> LayerAssignment:
        """The instance."""
        return self.stated.problem

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Ids of the nodes by rank."""
        return (*self.stated.clients, self.stated.server)

    @property
    def server_rank(self) -> int:
        """Rank of the server's process."""
        return len(self.names) - 1

    @property
    def crew(self) -> Crew:
        """The processes: one a client, and one for the server."""
        roles = [f"node {name}" for name in self.names]
        clients = frozenset(range(self.server_rank))
        return Crew(
            PROGRAM,
            self.path,
            tuple(roles),
            self.settings.threads,
            patience_s=self.settings.patience_s,
            may_be_lost=clients,
        )

    @property
    def num_rounds(self) -> int:
        """Rounds of the schedule."""
        return len(self.stated.schedule.rounds)

    @property
    def rounds_made(self) -> int:
        """Rounds that earlier starts of the run have made."""
        return self.endings[-1].rounds_made if self.endings else 0

    @property
    def slower(self) -> float:
        """Seconds here for a second of the instance."""
        return 1.0 if self.settings.emulation == NONE else self.settings.slower or 1.0

    @cached_property
    def links(self) -> Links:
        """What joins the processes' nodes."""
        return Links.of(self.problem.instance.network, self.names)

    def part(self, rank: int, index: int) -> Client | None:
        """A client's part in a round, counted from 0; None where it sits it out."""
        clients = self.stated.schedule.rounds[index].clients
        return next((one for one in clients if one.node == self.names[rank]), None)

    def ranks(self, index: int) -> list[int]:
        """Ranks of the clients of a round."""
        return [rank for rank in range(self.server_rank) if self.part(rank, index) is not None]

    def samples_before(self, rank: int, index: int) -> int:
        """Samples that a client has drawn from its stream before a round."""
        parts = (self.part(rank, earlier) for earlier in range(index))
        return sum(self.stated.local_steps(one) * self.stated.batch_size(one) for one in parts if one)

    def largest_batch(self, rank: int) -> int:
        """Samples of a client's largest step."""
        parts = (self.part(rank, index) for index in range(self.num_rounds))
        return max(self.stated.batch_size(one) for one in parts if one)

    def num_samples(self, rank: int) -> int:
        """Training images of a client; none of the server."""
        return sum(self.label_counts[rank]) if rank < self.server_rank else 0

    def weight(self, rank: int, index: int) -> float:
        """What a client's update counts in a round."""
        part = self.part(rank, index)
        assert part is not None
        return self.num_samples(rank) if part.weight is None else part.weight

    @property
    def timeout_s(self) -> float:
        """Longest wait of the server for a client, in seconds."""
        longest_s = max(one.time_s or 0.0 for one in self.stated.rounds)
        return self.settings.timeout_s or max(LEAST_TIMEOUT_S, TIMEOUT_ROUNDS * self.slower * longest_s)

    @property
    def client_timeout_s(self) -> float:
        """Longest wait of a client for the server: it may sit out all rounds but one."""
        return self.timeout_s * (self.num_rounds + 1)

    def seeded_workload(self) -> Workload:
        """Build the network as every process begins with it."""
        instance = self.problem.instance
        network = self.settings.network or instance.model.name
        return Workload.seeded(network, self.settings.seed, [layer.name for layer in instance.model.layers])

    def read_samples(self, name: str | int) -> Samples:
        """Read the shard of a client, or ``test``."""
        return read_shard(self.folder, str(name), self.white)

    def write(self) -> None:
        """Write the job file."""
        write_json(
            self.path,
            {
                "format": "edgeplan/1",
                "kind": "run_job",
                "instance": self.problem.to_document(),
                "schedule": self.stated.schedule.to_document(),
                "settings": self.settings.to_document(),
                "white": self.white,
                "upscaled_to": self.upscaled_to,
                "label_counts": self.label_counts,
                "endings": [asdict(one) for one in self.endings],
                "away": self.away,
            },
        )

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read a job file."""
        document = read_json(path)
        upscaled_to = document["upscaled_to"]
        problem = LayerAssignment.from_document(document["instance"])
        return cls(
            stated=StatedSchedule.from_document(document["schedule"], problem),
            settings=RunSettings.from_document(document["settings"]),
            folder=path.parent,
            white=document["white"],
            upscaled_to=None if upscaled_to is None else tuple(upscaled_to),
            label_counts=tuple(tuple(counts) for counts in document["label_counts"]),
            endings=tuple(Ending(**one) for one in document["endings"]),
            away=tuple(document["away"]),
        )


def holds_after(rounds_made: int) -> Callable[[Event], bool]:
    """Return which events of an earlier start hold still: those of whole rounds."""
    return lambda event: event["event"] in OF_ROUNDS and event["round"] <= rounds_made


def prepare(
    problem: LayerAssignment, schedule: FederatedSchedule, settings: RunSettings, *, out: Path
) -> Job:
    """Validate a run and write its job file and shards.

    Parameters
    ----------
    problem, schedule, settings
        What is run, and how.
    out
        Folder of the run; made if missing, what an earlier run left in it is replaced.

    Raises
    ------
    InvalidInputError
        With every fault of the schedule.
    UsageError
        When it cannot be run on this instance, network and data.
    """
    settings = replace(settings, emulation=chosen_mode(settings.emulation))
    stated = StatedSchedule.from_document(schedule.to_document(), problem)
    check_settings(settings)
    check_rehearsal(stated, settings)
    check_training(problem)
    network = network_of(problem, settings.network, settings.seed)
    training, test = read_samples(settings.data, settings.seed)
    upscaled_to = input_size(network, training)
    shards = split_by_label(
        training.groups,
        len(stated.clients),
        alpha=settings.alpha,
        at_least=problem.instance.training.batch_size,
        seed=settings.seed,
    )
    check_batches(stated, [len(indices) for indices in shards])
    parts = [training.take(indices) for indices in shards]
    sizes = {node: len(indices) for node, indices in zip(stated.clients, shards, strict=True)}
    one = Shard(training.take(np.zeros(1, dtype=np.int64)), upscaled_to)
    check_private(settings.privacy, network, one, sizes)
    num_labels = int(training.groups.max()) + 1
    counts = tuple(tuple(np.bincount(part.groups, minlength=num_labels).tolist()) for part in parts)
    job = Job(stated, settings, out.resolve(), training.white, upscaled_to, counts)
    _write(job, parts, test)
    return job


def _write(job: Job, parts: Sequence[Samples], test: Samples) -> None:
    forget_earlier_run(job.folder, len(job.names))
    for rank, part in enumerate(parts):
        write_samples(part, job.folder, str(rank))
    write_samples(test, job.folder, TEST)
    job.write()
