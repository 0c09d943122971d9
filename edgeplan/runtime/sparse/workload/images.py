"""The images: half of them as they are for the start, the others turned for the task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from edgeplan.errors import UsageError
from edgeplan.runtime.data.images import Images, read_images
from edgeplan.runtime.data.shards import Indices, sample_order, split_by_label
from edgeplan.runtime.learning.training import Batch, upscale

NUM_CHANNELS = 3
EVERYBODY = 2**32
"""Stands for a device in the order of images that belongs to none."""


@dataclass(frozen=True)
class Pictures:
    """Images of one purpose, enlarged batch by batch.

    Parameters
    ----------
    images
        As they are kept.
    size
        Height and width that they are enlarged to.
    """

    images: Images
    size: int

    @property
    def num_bytes(self) -> int:
        """Bytes of images and labels as they are kept."""
        return self.images.pixels.nbytes + self.images.labels.nbytes

    def batch(self, indices: NDArray[np.int64]) -> Batch:
        """Return some images, B x 3 x size x size between 0 and 1, and their labels."""
        some = self.images.take(indices)
        pixels = torch.from_numpy(some.pixels).float() / some.white
        enlarged = upscale(pixels, (NUM_CHANNELS, self.size, self.size))
        return enlarged, torch.from_numpy(some.labels).long()

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Yield all images once, in their order."""
        indices = np.arange(len(self.images.labels))
        for start in range(0, len(indices), batch_size):
            yield self.batch(indices[start : start + batch_size])

    def drawn(self, seed: int, device: int, step: int, batch_size: int) -> Batch:
        """Return the batch of a step, from an endless stream of shuffled epochs."""
        count = len(self.images.labels)
        return self.batch(sample_order(seed, device, count, step * batch_size, batch_size))

    def share(self, indices: Indices) -> Pictures:
        """Return some of them."""
        return Pictures(self.images.take(indices), self.size)


@dataclass(frozen=True)
class Purposes:
    """What the images are for."""

    start: Pictures
    """Trained first, as they are."""
    task: Pictures
    """Trained by the devices, turned."""
    held_out: Pictures
    """Never trained, turned."""


def read_purposes(size: int, seed: int) -> Purposes:
    """Divide the digits, enlarged to this size."""
    training, test = read_images("digits", seed)
    half = len(training.labels) // 2
    indices = np.arange(len(training.labels))
    first, second = training.take(indices[:half]), training.take(indices[half:])
    return Purposes(Pictures(first, size), Pictures(_turned(second), size), Pictures(_turned(test), size))


def _turned(images: Images) -> Images:
    turned = np.ascontiguousarray(np.rot90(images.pixels, axes=(2, 3)))
    return Images(turned, images.labels, images.white)


def split(task: Pictures, num_devices: int, alpha: float | None, seed: int) -> list[Pictures]:
    """Divide images among devices: every so many-th, or by a Dirichlet distribution over labels.

    Raises
    ------
    UsageError
        When there are fewer images than devices.
    """
    labels = task.images.labels
    if num_devices > len(labels):
        raise UsageError(f"{num_devices} devices: must be at most the {len(labels)} images; use fewer")
    if alpha is not None:
        shards = split_by_label(labels, num_devices, alpha=alpha, at_least=1, seed=seed)
    else:
        # The images stand in a shuffled order already.
        shards = [np.arange(device, len(labels), num_devices) for device in range(num_devices)]
    return [task.share(shard) for shard in shards]
