"""Samples of any kind: images with a label each, or text with the next character of every character."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeplan.runtime.data.images import Images, read_images
from edgeplan.runtime.data.topics import Windows, read_windows

Bytes = NDArray[np.uint8]
TOPICS = "topics"


@dataclass(frozen=True)
class Samples:
    """What a network is given, what it is to answer, and by what samples are split over nodes.

    Parameters
    ----------
    inputs
        Pixels of shape (images, channels, height, width), or codes of shape (windows, characters).
    targets
        The label of each image, or the next character of each character.
    groups
        What a sample counts as when label distributions are drawn and compared, from 0.
    white
        Largest value of a pixel; None where inputs are codes.
    """

    inputs: Bytes
    targets: Bytes
    groups: Bytes
    white: int | None

    def take(self, indices: NDArray[np.int64]) -> Samples:
        """Return some of the samples, in the order of `indices`."""
        return Samples(self.inputs[indices], self.targets[indices], self.groups[indices], self.white)


def read_samples(data: str, seed: int) -> tuple[Samples, Samples]:
    """Read training and test samples.

    Parameters
    ----------
    data
        ``digits``, ``cifar10:FOLDER`` or ``topics``.
    seed
        Draws what is held out; CIFAR-10 comes with its own test images.

    Raises
    ------
    UsageError
        When the name is unknown or the folder does not hold the data.

    Examples
    --------
    >>> training, test = read_samples("topics", seed=0)
    >>> training.inputs.shape[1], bool((training.inputs[:, 1:] == training.targets[:, :-1]).all())
    (64, True)
    """
    if data == TOPICS:
        training, test = read_windows(seed)
        return _of_windows(training), _of_windows(test)
    images, held_out = read_images(data, seed)
    return _of_images(images), _of_images(held_out)


def _of_images(images: Images) -> Samples:
    return Samples(images.pixels, images.labels, images.labels, images.white)


def _of_windows(windows: Windows) -> Samples:
    return Samples(windows.codes[:, :-1], windows.codes[:, 1:], windows.kinds, None)
