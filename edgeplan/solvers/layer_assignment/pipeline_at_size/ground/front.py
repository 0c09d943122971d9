"""Dominance: of many rows of costs, those that no other row undercuts or equals."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Bools, Floats, Ints

Ranks = npt.NDArray[np.int32]

_BLOCK = 1024
_FIRST = 64


def front(costs: Floats, *, most: int | None = None) -> Ints | None:
    """Return the rows that no other row dominates, rising; of equal rows the first.

    A row dominates another if none of its costs is higher.

    Parameters
    ----------
    costs
        One row a node.
    most
        Give up, with None, where there are more.

    Examples
    --------
    >>> front(np.array([[2.0, 1.0], [1.0, 2.0], [2.0, 2.0], [1.0, 2.0]])).tolist()
    [0, 1]
    """
    ranks = _ranks(costs)
    order = np.argsort(ranks.sum(axis=1, dtype=np.int64), kind="stable")  # no row dominates an earlier one
    kept, rows = ranks[:0], order[:0]
    for begin in range(0, len(order), _BLOCK):
        block = order[begin : begin + _BLOCK]
        for part in (kept[:_FIRST], kept[_FIRST:]):
            block = block[~_dominated(ranks[block], part)]
        block = block[~_dominated_within(ranks[block])]
        kept, rows = np.concatenate([kept, ranks[block]]), np.concatenate([rows, block])
        if most is not None and len(rows) > most:
            return None
    return np.sort(rows)


def undominated(costs: Floats, by: Floats) -> Bools:
    """Which rows none of the others dominates."""
    ranks = _ranks(np.concatenate([by, costs]))
    return ~_dominated(ranks[len(by) :], ranks[: len(by)])


def _ranks(costs: Floats) -> Ranks:
    ranks = np.empty(costs.shape, dtype=np.int32)
    for column in range(costs.shape[1]):
        ranks[:, column] = np.unique(costs[:, column], return_inverse=True)[1]
    return ranks


def _dominated(ranks: Ranks, by: Ranks) -> Bools:
    """Which rows one of the others dominates."""
    undercut = np.ones((len(ranks), len(by)), dtype=np.bool_)
    for column in range(ranks.shape[1]):
        undercut &= by[:, column] <= ranks[:, column, None]
    return np.asarray(undercut.any(axis=1))


def _dominated_within(ranks: Ranks) -> Bools:
    """Which rows an earlier one dominates."""
    undercut = np.tri(len(ranks), k=-1, dtype=np.bool_)
    for column in range(ranks.shape[1]):
        undercut &= ranks[:, column] <= ranks[:, column, None]
    return np.asarray(undercut.any(axis=1))
