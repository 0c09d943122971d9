"""The split of the training images over the nodes, and the files that carry it to their processes.

Each label's images are divided by proportions from a symmetric Dirichlet distribution: a small `alpha`
gives nodes that know few labels, a large one equal shards.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeplan.errors import UsageError
from edgeplan.runtime.snake.data.images import Images

Indices = NDArray[np.int64]


def split_by_label(
    labels: NDArray[np.uint8], num_nodes: int, *, alpha: float, at_least: int, seed: int
) -> list[Indices]:
    """Split images over nodes by a Dirichlet distribution over labels.

    A node that got fewer than `at_least` images takes the last ones of the largest shard, until none
    lacks any.

    Parameters
    ----------
    labels
        Label of each image.
    num_nodes
        Number of shards.
    alpha
        Concentration, above 0.
    at_least
        Fewest images of a shard.
    seed
        Seed of the draw.

    Returns
    -------
    list[Indices]
        Disjoint shards that hold every image.

    Raises
    ------
    UsageError
        When there are fewer than ``num_nodes * at_least`` images.

    Examples
    --------
    >>> labels = np.repeat(np.arange(2, dtype=np.uint8), 50)
    >>> shards = split_by_label(labels, 4, alpha=0.05, at_least=10, seed=0)
    >>> min(len(shard) for shard in shards) >= 10, sum(len(shard) for shard in shards)
    (True, 100)
    """
    if len(labels) < num_nodes * at_least:
        raise UsageError(
            f"{len(labels)} images are too few for {num_nodes} nodes with a batch of {at_least} each; "
            "use fewer nodes or a smaller batch_size"
        )
    generator = np.random.default_rng([seed, 2])
    shards: list[list[int]] = [[] for _ in range(num_nodes)]
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        shares = generator.dirichlet(np.full(num_nodes, alpha))
        cuts = np.rint(np.cumsum(shares)[:-1] * len(members)).astype(np.int64)
        for shard, part in zip(shards, np.split(members, cuts), strict=True):
            shard.extend(part.tolist())
    _fill_up(shards, at_least)
    return [generator.permutation(np.array(shard, dtype=np.int64)) for shard in shards]


def _fill_up(shards: list[list[int]], at_least: int) -> None:
    for shard in shards:
        while len(shard) < at_least:
            shard.append(max(shards, key=len).pop())


def write_images(images: Images, folder: Path, name: str) -> None:
    """Write pixels and labels as two ``.npy`` files."""
    np.save(folder / f"{name}-pixels.npy", images.pixels, allow_pickle=False)
    np.save(folder / f"{name}-labels.npy", images.labels, allow_pickle=False)


def read_shard(folder: Path, name: str, white: int) -> Images:
    """Read what `write_images` wrote."""
    pixels, labels = (
        np.load(folder / f"{name}-{part}.npy", allow_pickle=False) for part in ("pixels", "labels")
    )
    return Images(pixels, labels, white)


def sample_order(seed: int, node: int, num_samples: int, start: int, count: int) -> Indices:
    """Return samples `start` to `start + count` of the node's endless stream of shuffled epochs.

    Parameters
    ----------
    seed
        Seed of the run.
    node
        Rank of the node.
    num_samples
        Size of the node's shard.
    start
        Samples drawn before.
    count
        Samples wanted.

    Examples
    --------
    >>> sorted(int(index) for index in sample_order(0, 1, 4, start=4, count=4))
    [0, 1, 2, 3]
    """
    epochs = range(start // num_samples, (start + count - 1) // num_samples + 1)
    stream = np.concatenate(
        [np.random.default_rng([seed, 3, node, epoch]).permutation(num_samples) for epoch in epochs]
    )
    offset = start - epochs[0] * num_samples
    return stream[offset : offset + count]
