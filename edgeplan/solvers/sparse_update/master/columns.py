"""Choices that classes have made: the columns of a master programme."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgeplan.solvers.sparse_update.choices.cluster import Array, Choices, Cluster
from edgeplan.solvers.sparse_update.choices.scope import Scope


@dataclass
class Columns:
    """All different choices of classes that were ever an answer.

    Parameters
    ----------
    cluster
        The cluster.
    """

    cluster: Cluster
    _known: set[tuple[int, bytes]] = field(default_factory=set)
    _class: list[int] = field(default_factory=list)
    _gain: list[float] = field(default_factory=list)
    _updated: list[Array] = field(default_factory=list)

    def add(self, choices: Choices) -> int:
        """Add what is new of all classes' choices; return how much that was."""
        updated, before = self.cluster.updated(choices), len(self._class)
        gain = self.cluster.brought(choices)
        for c, own in enumerate(updated):
            key = c, np.packbits(own).tobytes()
            if key not in self._known:
                self._known.add(key)
                self._class.append(c)
                self._gain.append(float(gain[c]))
                self._updated.append(own)
        return len(self._class) - before

    def within(self, scope: Scope) -> tuple[Array, Array, Array]:
        """Return class, gain and updated slices (columns) of the choices that a scope admits."""
        classes, updated = np.array(self._class), np.array(self._updated)
        barred = (updated & ~scope.may_update[classes]) | (~updated & ~scope.may_leave[classes])
        kept = ~barred.any(axis=1)
        return classes[kept], np.array(self._gain)[kept], updated[kept]
