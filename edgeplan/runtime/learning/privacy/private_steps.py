"""Steps of DP-SGD, a sample at a time.

A sample's gradient is that of a batch of one, so it depends on no other sample, whatever the network does; a
step holds one of them and the sum of the clipped ones, never a batch of them. Opacus clips, adds noise and
divides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from edgeplan.runtime.learning.objective import Objective, cross_entropy
from edgeplan.runtime.learning.privacy.mechanism import Privacy
from edgeplan.runtime.learning.privacy.randomness import random_source
from edgeplan.runtime.learning.training import Batch, Shard

if TYPE_CHECKING:
    from opacus.optimizers import DPOptimizer

SUM_BYTES = 4
"""Of each trained parameter, all along a step: the sum of clipped gradients."""
NOISE_BYTES = 4
"""At hand a parameter while its layer gets its noise."""


def sample_rate(batch_size: int, num_samples: int) -> float:
    """Probability with which each of a node's samples takes part in a step.

    Examples
    --------
    >>> sample_rate(16, 64)
    0.25
    """
    return batch_size / num_samples


@dataclass(frozen=True)
class PrivateSteps:
    """How a node trains on its samples.

    Parameters
    ----------
    privacy
        The mechanism.
    batch_size
        Expected samples of a step, by which their sum is divided, however many there are.
    source
        Of sampling and noise; nobody else may know its state.
    """

    privacy: Privacy
    batch_size: int
    source: torch.Generator

    @classmethod
    def of(cls, privacy: Privacy, batch_size: int, stream: Sequence[int]) -> PrivateSteps:
        """Begin a stream of sampling and noise, such as that of a node's round."""
        seed = None if privacy.seed is None else (privacy.seed, *stream)
        return cls(privacy, batch_size, random_source(seed))

    def batches(self, shard: Shard, steps: int) -> list[Batch]:
        """Draw the samples of each step independently of all others; a batch may be empty."""
        from opacus.utils.uniform_sampler import UniformWithReplacementSampler

        num_samples = len(shard.targets)
        drawn = UniformWithReplacementSampler(
            num_samples=num_samples,
            sample_rate=sample_rate(self.batch_size, num_samples),
            generator=self.source,
            steps=steps,
        )
        indices = (torch.tensor(some, dtype=torch.int64) for some in drawn)
        return [(shard.inputs[some], shard.targets[some]) for some in indices]

    def train(
        self,
        module: nn.Module,
        optimizer: torch.optim.Optimizer | None,
        batches: Iterable[Batch],
        objective: Objective = cross_entropy,
    ) -> float:
        """Take one step on each batch.

        Returns
        -------
        float
            No number: the loss on a node's own samples has no guarantee.
        """
        if optimizer is not None:
            noisy = self._noisy(optimizer)
            for inputs, targets in batches:
                for index in range(len(targets)):
                    one = slice(index, index + 1)
                    objective(module, inputs[one], targets[one]).backward()  # type: ignore[no-untyped-call]
                    _add_clipped(noisy)
                _update(noisy)
        return math.nan

    def _noisy(self, optimizer: torch.optim.Optimizer) -> DPOptimizer:
        from opacus.optimizers import DPOptimizer

        # secure_mode adds up four draws: a single one ends at 5.8 standard deviations, which tells too much.
        return DPOptimizer(
            optimizer,
            noise_multiplier=self.privacy.noise,
            max_grad_norm=self.privacy.clip,
            expected_batch_size=self.batch_size,
            generator=self.source,
            secure_mode=True,
        )


def _add_clipped(optimizer: DPOptimizer) -> None:
    """Add one sample's gradient to the sum, clipped; what is no number counts as 0, or nothing would be."""
    for parameter in optimizer.params:
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        parameter.grad_sample = gradient.nan_to_num_(0.0, 0.0, 0.0).unsqueeze(0)
    optimizer.signal_skip_step()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _update(optimizer: DPOptimizer) -> None:
    """Add noise to the sum, of no samples too, and let the optimizer go on from it."""
    for parameter in optimizer.params:
        parameter.grad_sample = parameter.new_empty((0, *parameter.shape))
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
