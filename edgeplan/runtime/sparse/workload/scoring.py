"""Class scores of any network, and how good they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeplan.runtime.learning.training import Batch, Score


def scores_of(output: Any) -> Tensor:
    """Scores in the output of a network: those of ``transformers`` put them beside other things.

    Examples
    --------
    >>> scores_of(torch.zeros(2, 10)).shape
    torch.Size([2, 10])
    """
    scores: Tensor = getattr(output, "logits", output)
    return scores


def loss_of(module: nn.Module, batch: Batch) -> Tensor:
    """Mean cross-entropy of a batch."""
    images, labels = batch
    return functional.cross_entropy(scores_of(module(images)), labels)


@torch.no_grad()
def score(module: nn.Module, batches: Iterable[Batch]) -> Score:
    """Score a network in evaluation mode; it is left in the mode that it was in."""
    was_training = module.training
    module.eval()
    loss, correct, total = 0.0, 0, 0
    for images, labels in batches:
        scores = scores_of(module(images))
        loss += functional.cross_entropy(scores, labels, reduction="sum").item()
        correct += int((scores.argmax(dim=1) == labels).sum())
        total += len(labels)
    module.train(was_training)
    return Score(loss / total, correct / total)
