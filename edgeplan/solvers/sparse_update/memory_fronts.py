"""What one device can bring at most, for every depth and every memory: a dynamic programme over the layers.

From the last layer on, a front holds the pairs of memory and value that no other choice on these layers
beats in both: with less memory as much value, or more with as much. One layer more adds its options to each
pair. So the front of depth k answers for every memory at once, and for every device with these values: equal
devices, and unequal ones that differ in memory alone. Equations (1) and the objective; no other limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Options = Sequence[tuple[int, float]]
"""Memory in bytes and value of every option of a layer."""


@dataclass(frozen=True)
class Front:
    """Choices on the last layers that none beats in memory and value.

    Parameters
    ----------
    memory_bytes
        Rising; biases and base are not among them.
    value
        Rising too.
    before
        Index of the choice on the layers behind, in the front before; -1 in the first.
    option
        Option of this layer, -1 for none.
    """

    memory_bytes: np.ndarray
    value: np.ndarray
    before: np.ndarray
    option: np.ndarray

    def best_within(self, memory_bytes: int) -> int:
        """Index of the best choice within a memory, -1 where even the smallest needs more."""
        return int(np.searchsorted(self.memory_bytes, memory_bytes, side="right")) - 1


NOTHING = Front(np.zeros(1, np.int64), np.zeros(1), np.full(1, -1), np.full(1, -1))
"""The front of no layer."""


def memory_fronts(layers: Sequence[Options], most_bytes: int) -> list[Front]:
    """Return the front of every depth, from 0.

    Parameters
    ----------
    layers
        Options of every layer, from input to output.
    most_bytes
        Memory beyond which nothing is asked for.

    Examples
    --------
    >>> fronts = memory_fronts([[(3, 1.0)], [(2, 1.5), (4, 2.0)]], 5)
    >>> [front.value.tolist() for front in fronts]
    [[0.0], [0.0, 1.5, 2.0], [0.0, 1.5, 2.0, 2.5]]
    """
    fronts = [NOTHING]
    for options in reversed(layers):
        fronts.append(_extended(fronts[-1], options, most_bytes))
    return fronts


def _extended(front: Front, options: Options, most_bytes: int) -> Front:
    """The front of one layer more."""
    size = len(front.memory_bytes)
    added = [(0, 0.0), *options]
    memory = np.concatenate([front.memory_bytes + own for own, _ in added])
    value = np.concatenate([front.value + own for _, own in added])
    option, before = np.repeat(np.arange(-1, len(options)), size), np.tile(np.arange(size), len(added))
    order = np.lexsort((option, -value, memory))
    order = order[memory[order] <= most_bytes]
    highest = np.maximum.accumulate(value[order])
    better = np.ones(len(order), bool)
    better[1:] = value[order][1:] > highest[:-1]
    kept = order[better]
    return Front(memory[kept], value[kept], before[kept], option[kept])


def chosen(fronts: Sequence[Front], depth: int, index: int) -> Mapping[int, int]:
    """Return the options of a choice in the front of a depth: by layer, counted from the last one.

    Examples
    --------
    >>> fronts = memory_fronts([[(3, 1.0)], [(2, 1.5), (4, 2.0)]], 5)
    >>> chosen(fronts, 2, fronts[2].best_within(5))
    {1: 0, 0: 0}
    """
    found = {}
    for back in range(depth, 0, -1):
        front = fronts[back]
        if front.option[index] >= 0:
            found[back - 1] = int(front.option[index])
        index = int(front.before[index])
    return found
