"""Local training and evaluation on one node's own samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeplan.runtime.data.samples import Samples
from edgeplan.runtime.data.shards import sample_order
from edgeplan.runtime.learning.objective import Objective, cross_entropy

Batch = tuple[Tensor, Tensor]
EVALUATION_BATCH = 256
LARGEST_LOSS = 700.0  # whose perplexity is a number


@dataclass(frozen=True)
class Score:
    """Mean loss and accuracy over the labels, or the characters, of the test samples."""

    loss: float
    accuracy: float

    @property
    def perplexity(self) -> float | None:
        """Of characters: e to the loss; None where that is no number."""
        return math.exp(self.loss) if self.loss < LARGEST_LOSS else None


class Shard:
    """A node's samples as tensors of the type and size that the network takes.

    Parameters
    ----------
    samples
        Images or text.
    upscaled_to
        Channels, height and width that images are repeated and enlarged to; None keeps them.
    """

    def __init__(self, samples: Samples, upscaled_to: Sequence[int] | None) -> None:
        inputs = torch.from_numpy(samples.inputs)
        inputs = inputs.long() if samples.white is None else inputs.float() / samples.white
        self.inputs = inputs if upscaled_to is None else upscale(inputs, upscaled_to)
        self.targets = torch.from_numpy(samples.targets).long()

    def batches(self, *, seed: int, node: int, visit: int, batch_size: int, steps: int) -> list[Batch]:
        """Return the batches of a visit; visits are counted from 0 and go on where the last one stopped."""
        start = visit * batch_size * steps
        return self.stream(seed=seed, node=node, start=start, batch_size=batch_size, steps=steps)

    def stream(self, *, seed: int, node: int, start: int, batch_size: int, steps: int) -> list[Batch]:
        """Return batches from the node's endless stream of samples, after the first `start` of them."""
        drawn = batch_size * steps
        order = torch.from_numpy(sample_order(seed, node, len(self.targets), start, drawn))
        return [(self.inputs[some], self.targets[some]) for some in torch.split(order, batch_size)]


def upscale(pixels: Tensor, shape: Sequence[int]) -> Tensor:
    """Enlarge images by repeating their pixels, and grey ones over all channels."""
    channels, height, width = shape
    enlarged = functional.interpolate(pixels, size=(height, width), mode="nearest")
    return enlarged.expand(-1, channels, -1, -1).contiguous()


class Stepping(Protocol):
    """Takes one step on each batch; `train`, or what takes its place."""

    def __call__(
        self,
        module: nn.Module,
        optimizer: torch.optim.Optimizer | None,
        batches: Iterable[Batch],
        objective: Objective = ...,
    ) -> float:
        """Return the mean loss over the batches, each before its step."""


def train(
    module: nn.Module,
    optimizer: torch.optim.Optimizer | None,
    batches: Iterable[Batch],
    objective: Objective = cross_entropy,
) -> float:
    """Take one step on each batch.

    Parameters
    ----------
    module
        The network, with gradients required of what is to be trained.
    optimizer
        Of those parameters; None where there are none.
    batches
        Inputs and targets.
    objective
        What the steps lower.

    Returns
    -------
    float
        Mean loss over the batches, each before its step.
    """
    losses = [_step(module, optimizer, batch, objective) for batch in batches]
    return sum(losses) / len(losses)


def _step(
    module: nn.Module, optimizer: torch.optim.Optimizer | None, batch: Batch, objective: Objective
) -> float:
    loss = objective(module, *batch)
    if optimizer is not None:
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return loss.item()


def evaluate(module: nn.Module, test: Shard) -> Score:
    """Score the network on the test samples; it is left in training mode."""
    module.eval()
    loss, correct = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(test.targets), EVALUATION_BATCH):
            targets = test.targets[start : start + EVALUATION_BATCH].flatten()
            scores = module(test.inputs[start : start + EVALUATION_BATCH]).flatten(0, -2)
            loss += functional.cross_entropy(scores, targets, reduction="sum").item()
            correct += int((scores.argmax(dim=1) == targets).sum())
    module.train()
    return Score(loss / test.targets.numel(), correct / test.targets.numel())
