"""The split of the training samples over the nodes, and the files that carry it to their processes.

Each label's samples are divided by proportions from a symmetric Dirichlet distribution: a small `alpha`
gives nodes that know few labels, a large one equal shards.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeplan.errors import UsageError
from edgeplan.runtime.data.samples import Samples

Indices = NDArray[np.int64]
_PARTS = ("inputs", "targets", "groups")


def split_by_label(
    labels: NDArray[np.uint8], num_nodes: int, *, alpha: float, at_least: int, seed: int
) -> list[Indices]:
    """Split samples over nodes by a Dirichlet distribution over labels.

    A node that got fewer than `at_least` samples takes the last ones of the largest shard, until none
    lacks any.

    Parameters
    ----------
    labels
        Label of each sample.
    num_nodes
        Number of shards.
    alpha
        Concentration, above 0.
    at_least
        Fewest samples of a shard.
    seed
        Seed of the draw.

    Returns
    -------
    list[Indices]
        Disjoint shards that hold every sample.

    Raises
    ------
    UsageError
        When there are fewer than ``num_nodes * at_least`` samples.

    Examples
    --------
    >>> labels = np.repeat(np.arange(2, dtype=np.uint8), 50)
    >>> shards = split_by_label(labels, 4, alpha=0.05, at_least=10, seed=0)
    >>> min(len(shard) for shard in shards) >= 10, sum(len(shard) for shard in shards)
    (True, 100)
    """
    if len(labels) < num_nodes * at_least:
        raise UsageError(
            f"{len(labels)} samples are too few for {num_nodes} nodes with a batch of {at_least} each; "
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


def write_samples(samples: Samples, folder: Path, name: str) -> None:
    """Write inputs, targets and groups as ``.npy`` files."""
    for part in _PARTS:
        np.save(folder / f"{name}-{part}.npy", getattr(samples, part), allow_pickle=False)


def read_shard(folder: Path, name: str, white: int | None) -> Samples:
    """Read what `write_samples` wrote."""
    inputs, targets, groups = (np.load(folder / f"{name}-{part}.npy", allow_pickle=False) for part in _PARTS)
    return Samples(inputs, targets, groups, white)


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
