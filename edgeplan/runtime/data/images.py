"""Labelled images that are already on the machine: scikit-learn's digits, or CIFAR-10 from a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeplan.errors import UsageError
from edgeplan.extras import require

CIFAR_SHAPE = (3, 32, 32)
CIFAR_TRAIN = tuple(f"data_batch_{index}.bin" for index in range(1, 6))
CIFAR_TEST = "test_batch.bin"
CIFAR_RECORD_BYTES = 1 + 3 * 32 * 32
TEST_SHARE = 0.2


@dataclass(frozen=True)
class Images:
    """Images as bytes, and their labels.

    Parameters
    ----------
    pixels
        Of shape (images, channels, height, width), 0 to `white`.
    labels
        One for each image, from 0.
    white
        Largest value of a pixel.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    white: int

    def take(self, indices: NDArray[np.int64]) -> Images:
        """Return some of the images, in the order of `indices`."""
        return Images(self.pixels[indices], self.labels[indices], self.white)


def read_images(data: str, seed: int) -> tuple[Images, Images]:
    """Read training and test images.

    Parameters
    ----------
    data
        ``digits`` or ``cifar10:FOLDER``.
    seed
        Draws the test share of the digits; CIFAR-10 comes with its own.

    Raises
    ------
    UsageError
        When the name is unknown or the folder does not hold the data.
    MissingExtraError
        When scikit-learn, which ships the digits, is not installed.
    """
    if data == "digits":
        return _digits(seed)
    kind, _, folder = data.partition(":")
    if kind == "cifar10" and folder:
        return _cifar10(Path(folder))
    raise UsageError(f"data {data!r}: must be 'digits', 'topics' or 'cifar10:FOLDER'; use one of them")


def _digits(seed: int) -> tuple[Images, Images]:
    require("sklearn", purpose="the digits data set")
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = bunch.images.astype(np.uint8)[:, np.newaxis]
    everything = Images(pixels, bunch.target.astype(np.uint8), white=16)
    order = np.random.default_rng([seed, 1]).permutation(len(everything.labels))
    num_test = round(TEST_SHARE * len(order))
    return everything.take(order[num_test:]), everything.take(order[:num_test])


def _cifar10(folder: Path) -> tuple[Images, Images]:
    missing = [name for name in (*CIFAR_TRAIN, CIFAR_TEST) if not (folder / name).is_file()]
    if missing and (folder / "data_batch_1").is_file():
        raise UsageError(
            f"{folder}: holds the pickled version of CIFAR-10, which is not read because unpickling runs "
            "code; use the binary version (data_batch_1.bin, ...)"
        )
    if missing:
        raise UsageError(f"{folder}: {missing[0]} is missing; name a folder with the binary CIFAR-10")
    return _cifar10_files(folder, CIFAR_TRAIN), _cifar10_files(folder, (CIFAR_TEST,))


def _cifar10_files(folder: Path, names: tuple[str, ...]) -> Images:
    raw = np.concatenate([np.fromfile(folder / name, dtype=np.uint8) for name in names])
    if len(raw) == 0 or len(raw) % CIFAR_RECORD_BYTES:
        raise UsageError(
            f"{folder}: {', '.join(names)} hold {len(raw)} bytes, no multiple of {CIFAR_RECORD_BYTES}; "
            "fetch CIFAR-10 again"
        )
    records = raw.reshape(-1, CIFAR_RECORD_BYTES)
    return Images(records[:, 1:].reshape(-1, *CIFAR_SHAPE), records[:, 0].copy(), white=255)
