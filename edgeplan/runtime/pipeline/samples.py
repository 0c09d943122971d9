"""The text that is learnt: a part for every cluster, and a part that nobody trains on.

A sample is a run of characters and the characters that follow them. Every tenth topic is held out; the other
topics, one after another, are cut into as many equal parts as there are clusters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edgeplan.runtime.networks import CHARACTERS
from edgeplan.runtime.text import Codes, read_topics

_HELD_OUT_EVERY = 10
_SCORED_SAMPLES, _AT_ONCE = 128, 32

Batch = tuple[Tensor, Tensor]
"""Codes of shape (samples, characters), and those of the next characters."""


@dataclass(frozen=True)
class Score:
    """Mean loss and accuracy over the held-out characters."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class Text:
    """Text for a number of clusters.

    Parameters
    ----------
    parts
        What each cluster trains on.
    held_out
        What none does.
    """

    parts: tuple[Codes, ...]
    held_out: Codes

    @classmethod
    def for_clusters(cls, num_clusters: int) -> Text:
        """Divide the text.

        Examples
        --------
        >>> text = Text.for_clusters(2)
        >>> abs(len(text.parts[0]) - len(text.parts[1])) <= 1
        True
        """
        topics = read_topics()
        trained = [one for index, one in enumerate(topics) if index % _HELD_OUT_EVERY]
        parts = tuple(np.array_split(np.concatenate(trained), num_clusters))
        return cls(parts, np.concatenate(topics[::_HELD_OUT_EVERY]))

    def batch(self, cluster: int, slot: int, num_samples: int, *, seed: int) -> Batch:
        """Return the samples of a cluster in a slot; the same wherever they are drawn."""
        part = self.parts[cluster]
        drawn = np.random.default_rng([seed, slot, cluster])
        return _samples(part, drawn.integers(0, len(part) - CHARACTERS, num_samples))

    def score(self, network: nn.Module) -> Score:
        """Score a network on samples spread evenly over the held-out text."""
        loss, correct = 0.0, 0
        with torch.no_grad():
            for codes, following in self._scored():
                scores = network(codes)
                loss += loss_of(scores, following).item() * following.numel()
                correct += int((scores.argmax(-1) == following).sum())
        count = _SCORED_SAMPLES * CHARACTERS
        return Score(loss / count, correct / count)

    def _scored(self) -> Iterator[Batch]:
        starts = np.linspace(0, len(self.held_out) - CHARACTERS - 1, _SCORED_SAMPLES).astype(np.int64)
        for some in np.split(starts, _SCORED_SAMPLES // _AT_ONCE):
            yield _samples(self.held_out, some)


def _samples(text: Codes, starts: NDArray[np.int64]) -> Batch:
    rows = text[starts[:, None] + np.arange(CHARACTERS + 1)].astype(np.int64)
    both = torch.from_numpy(rows)
    return both[:, :-1].contiguous(), both[:, 1:].contiguous()


def loss_of(scores: Tensor, following: Tensor) -> Tensor:
    """Return the mean cross-entropy of the next characters."""
    return functional.cross_entropy(scores.flatten(0, 1), following.flatten())
