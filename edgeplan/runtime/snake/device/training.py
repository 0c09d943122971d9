"""Local training and evaluation on one node's own images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeplan.runtime.snake.data.images import Images
from edgeplan.runtime.snake.data.shards import sample_order

Batch = tuple[Tensor, Tensor]
EVALUATION_BATCH = 256


@dataclass(frozen=True)
class Score:
    """Mean loss and accuracy over the test images."""

    loss: float
    accuracy: float


class Shard:
    """A node's images as tensors of the size that the network takes.

    Parameters
    ----------
    images
        The images.
    upscaled_to
        Channels, height and width that the images are repeated and enlarged to; None keeps them.
    """

    def __init__(self, images: Images, upscaled_to: Sequence[int] | None) -> None:
        pixels = torch.from_numpy(images.pixels).float() / images.white
        self.pixels = pixels if upscaled_to is None else upscale(pixels, upscaled_to)
        self.labels = torch.from_numpy(images.labels).long()

    def batches(self, *, seed: int, node: int, visit: int, batch_size: int, steps: int) -> list[Batch]:
        """Return the batches of a visit; visits are counted from 0 and go on where the last one stopped."""
        start = visit * batch_size * steps
        return self.stream(seed=seed, node=node, start=start, batch_size=batch_size, steps=steps)

    def stream(self, *, seed: int, node: int, start: int, batch_size: int, steps: int) -> list[Batch]:
        """Return batches from the node's endless stream of samples, after the first `start` of them."""
        drawn = batch_size * steps
        order = torch.from_numpy(sample_order(seed, node, len(self.labels), start, drawn))
        return [(self.pixels[some], self.labels[some]) for some in torch.split(order, batch_size)]


def upscale(pixels: Tensor, shape: Sequence[int]) -> Tensor:
    """Enlarge images by repeating their pixels, and grey ones over all channels."""
    channels, height, width = shape
    enlarged = functional.interpolate(pixels, size=(height, width), mode="nearest")
    return enlarged.expand(-1, channels, -1, -1).contiguous()


def train(module: nn.Module, optimizer: torch.optim.Optimizer | None, batches: Sequence[Batch]) -> float:
    """Take one step on each batch.

    Parameters
    ----------
    module
        The network, with gradients required of what is to be trained.
    optimizer
        Of those parameters; None where there are none.
    batches
        Images and labels.

    Returns
    -------
    float
        Mean loss over the batches, each before its step.
    """
    losses = [_step(module, optimizer, pixels, labels) for pixels, labels in batches]
    return sum(losses) / len(losses)


def _step(
    module: nn.Module, optimizer: torch.optim.Optimizer | None, pixels: Tensor, labels: Tensor
) -> float:
    loss = functional.cross_entropy(module(pixels), labels)
    if optimizer is not None:
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return loss.item()


def evaluate(module: nn.Module, test: Shard) -> Score:
    """Score the network on the test images; it is left in training mode."""
    module.eval()
    loss, correct = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(test.labels), EVALUATION_BATCH):
            labels = test.labels[start : start + EVALUATION_BATCH]
            scores = module(test.pixels[start : start + EVALUATION_BATCH])
            loss += functional.cross_entropy(scores, labels, reduction="sum").item()
            correct += int((scores.argmax(dim=1) == labels).sum())
    module.train()
    return Score(loss / len(test.labels), correct / len(test.labels))
