"""Nodes that differ in nothing but their ids, as one entry with copies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Bools, Ints, NodeColumns

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Alike:
    """Classes of nodes.

    Parameters
    ----------
    classes
        One entry a class, with its first node's index.
    class_of
        Class of each node.
    """

    classes: NodeColumns
    class_of: Ints


def grouped(nodes: NodeColumns, alone: Bools) -> Alike:
    """Group nodes whose figures are equal; those that stand `alone` are grouped with none."""
    keys = _keys(nodes, alone)
    _, first, class_of = np.unique(keys, return_index=True, return_inverse=True)
    same = np.ones(len(nodes), dtype=np.bool_)
    for figure in nodes.figures:
        same &= figure == figure[first[class_of]]
    if not same.all():  # two keys met by chance
        return grouped(nodes, alone | ~same)
    rank = np.argsort(np.argsort(first))
    copies = np.bincount(class_of, weights=nodes.copies).astype(np.int64)
    classes = nodes.take(np.sort(first))
    return Alike(replace(classes, copies=copies[np.argsort(first)]), rank[class_of])


def _keys(nodes: NodeColumns, alone: Bools) -> Words:
    """A number for each node that depends on its figures alone, or on its place if it stands alone."""
    multipliers = np.random.default_rng(0).integers(2**63, size=len(nodes.figures) + 1, dtype=np.uint64) | 1
    keys = np.zeros(len(nodes), dtype=np.uint64)
    for figure, multiplier in zip(nodes.figures, multipliers[1:], strict=True):
        bits = np.ascontiguousarray(figure).view(np.uint64)
        keys += (bits ^ (bits >> np.uint64(29))) * multiplier
    places = np.arange(1, len(nodes) + 1, dtype=np.uint64) * multipliers[0]
    return np.where(alone, places, keys)
