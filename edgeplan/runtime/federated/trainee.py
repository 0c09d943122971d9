"""What a client trains: the network, its shard, and its stream of batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from edgeplan.models.federated import Client
from edgeplan.runtime.emulation.pace import MACHINE, Pace
from edgeplan.runtime.federated.job import Job
from edgeplan.runtime.learning.calibration import MOST_STEPS, time_full_step, visit_of
from edgeplan.runtime.learning.memory import MEASURED_STEPS, peak_of_training, repeated_in_training
from edgeplan.runtime.learning.privacy.private_steps import PrivateSteps
from edgeplan.runtime.learning.privacy.validation import load_opacus
from edgeplan.runtime.learning.training import Batch, Shard, Stepping, train
from edgeplan.runtime.learning.workload import Workload, optimizer_for
from edgeplan.runtime.processes.stopwatch import Spent

SMALLER = 4  # times, a batch that shows what of a step stays


@dataclass(frozen=True)
class Trainee:
    """A client's network and shard.

    Parameters
    ----------
    job, rank
        The run, and which client this is.
    workload
        The network; its parameters are this client's copy.
    shard
        Training images.
    """

    job: Job
    rank: int
    workload: Workload
    shard: Shard

    @classmethod
    def of(cls, job: Job, rank: int) -> Trainee:
        """Build the network and read the shard."""
        load_opacus(job.settings.privacy)
        return cls(job, rank, job.seeded_workload(), Shard(job.read_samples(rank), job.upscaled_to))

    def batches(self, *, start: int, batch_size: int, steps: int) -> list[Batch]:
        """Return batches from this client's stream, after the first `start` samples."""
        seed = self.job.settings.seed
        return self.shard.stream(seed=seed, node=self.rank, start=start, batch_size=batch_size, steps=steps)

    def train(self, part: Client, index: int, pace: Pace) -> float:
        """Train everything for the local steps of a round, counted from 0, and return the mean loss."""
        # Dropout and the like draw the same numbers wherever the round is computed.
        source = np.random.SeedSequence([self.job.settings.seed, index + 1, self.rank])
        torch.manual_seed(int(source.generate_state(1)[0]))
        training, settings = self.job.problem.instance.training, self.job.settings
        parameters = self.workload.train_only(self.workload.layers)
        optimizer = optimizer_for(parameters, training.optimizer_bytes, settings.learning_rate)
        batch_size, steps = self.job.stated.batch_size(part), self.job.stated.local_steps(part)
        private = self._private_steps(batch_size, index + 1)
        if private is not None:
            drawn = private.batches(self.shard, steps)
            return private.train(self.workload.module, optimizer, pace.steadied(drawn))
        start = self.job.samples_before(self.rank, index)
        batches = self.batches(start=start, batch_size=batch_size, steps=steps)
        return train(self.workload.module, optimizer, pace.steadied(batches))

    def _private_steps(self, batch_size: int, round_number: int) -> PrivateSteps | None:
        privacy = self.job.settings.privacy
        return None if privacy is None else PrivateSteps.of(privacy, batch_size, (round_number, self.rank))

    def _stepping(self, batch_size: int) -> Stepping:
        """Return how steps are taken that are timed or measured, on a copy."""
        private = self._private_steps(batch_size, 0)
        return train if private is None else private.train

    def time_full_step(
        self, pace: Pace = MACHINE, *, step_s: float = 0.0, batch_size: int | None = None
    ) -> Spent:
        """Time steps with the batch of the instance or another, about as many as a slow node has time for."""
        training = self.job.problem.instance.training
        batch_size = batch_size or training.batch_size
        batches = self.batches(start=0, batch_size=batch_size, steps=MOST_STEPS)
        return time_full_step(
            self.workload,
            visit_of(batches, step_s) if step_s else batches,
            optimizer_bytes=training.optimizer_bytes,
            learning_rate=self.job.settings.learning_rate,
            pace=pace,
            stepping=self._stepping(batch_size),
        )

    def fixed_share(self, full_step: Spent) -> float | None:
        """Measure the share of a full step that is there with any batch; None where it has one sample."""
        batch_size = self.job.problem.instance.training.batch_size
        smaller = batch_size // SMALLER
        if not smaller:
            return None
        time_left = self.time_full_step(batch_size=smaller).processor_s / full_step.processor_s
        samples_left = smaller / batch_size
        return min(1.0, max(0.0, (time_left - samples_left) / (1 - samples_left)))

    def memory(self) -> dict[str, Any]:
        """Measure the peak of live tensors with the client's largest batch, and what its prediction needs."""
        layers, batch_size = list(self.workload.layers), self.job.largest_batch(self.rank)
        batches = self.batches(start=0, batch_size=batch_size, steps=MEASURED_STEPS)
        peak_bytes = peak_of_training(
            self.workload,
            layers,
            batches,
            optimizer_bytes=self.job.problem.instance.training.optimizer_bytes,
            learning_rate=self.job.settings.learning_rate,
            stepping=self._stepping(batch_size),
        )
        inputs, labels = batches[0]
        return {
            "memory_bytes": peak_bytes,
            "batch_bytes": inputs.nbytes + labels.nbytes,
            "repeated_bytes": repeated_in_training(
                self.workload, layers, inputs if self.job.settings.privacy is None else inputs[:1]
            ),
        }
