"""Labels: partial walks that end at one position, as arrays, and which of them dominance keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeplan.solvers.layer_assignment.steps.stage_table import Floats, Ints

Counts = npt.NDArray[np.signedinteger[Any]]


@dataclass(frozen=True)
class Labels:
    """Partial walks that end at one position.

    Parameters
    ----------
    last
        Type of the last node, shape [labels]; of the virtual one before the first it is -1.
    used
        Used nodes by type, packed into whole numbers, shape [labels, words].
    count
        Stages so far, shape [labels].
    criteria
        What the walk has cost, less is better, shape [labels, criteria].
    origin
        Position before the last stage, shape [labels].
    parent
        Place among the labels of that position, shape [labels].
    """

    last: npt.NDArray[np.int32]
    used: Ints
    count: npt.NDArray[np.int16]
    criteria: Floats
    origin: npt.NDArray[np.int16]
    parent: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.last)

    def take(self, places: Ints) -> Labels:
        """Return the labels at some places."""
        return Labels(
            self.last[places],
            self.used[places],
            self.count[places],
            self.criteria[places],
            self.origin[places],
            self.parent[places],
        )

    @classmethod
    def joined(cls, parts: Sequence[Labels]) -> Labels:
        """Return all labels of some parts, at least one."""
        return cls(
            np.concatenate([part.last for part in parts]),
            np.concatenate([part.used for part in parts]),
            np.concatenate([part.count for part in parts]),
            np.concatenate([part.criteria for part in parts]),
            np.concatenate([part.origin for part in parts]),
            np.concatenate([part.parent for part in parts]),
        )


def undominated(states: Ints, criteria: Floats) -> Ints:
    """Places of the labels that no other of the same state dominates, one of equal ones.

    Parameters
    ----------
    states
        Shape [labels, members].
    criteria
        Shape [labels, criteria]; dominance compares with exact ``<=``.

    Examples
    --------
    >>> states = np.array([[0], [0], [0], [1]])
    >>> criteria = np.array([[1.0, 5.0], [2.0, 4.0], [2.0, 5.0], [9.0, 9.0]])
    >>> undominated(states, criteria).tolist()
    [0, 1, 3]
    """
    order = np.lexsort((*criteria.T[::-1], *states.T[::-1]))
    sorted_states, sorted_criteria = states[order], criteria[order]
    begins = np.ones(len(order), dtype=bool)
    begins[1:] = (sorted_states[1:] != sorted_states[:-1]).any(axis=1)
    group, alive, kept = np.cumsum(begins) - 1, np.arange(len(order)), []
    while len(alive):  # the first of a group in lexicographic order is dominated by none
        first = np.ones(len(alive), dtype=bool)
        first[1:] = group[alive[1:]] != group[alive[:-1]]
        heads = alive[first]
        kept.append(heads)
        head_of = heads[np.cumsum(first) - 1]
        alive = alive[~(sorted_criteria[head_of] <= sorted_criteria[alive]).all(axis=1)]
    return np.sort(order[np.concatenate(kept)]) if kept else np.zeros(0, dtype=np.int64)
