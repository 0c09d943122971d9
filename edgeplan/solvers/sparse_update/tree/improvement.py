"""Better choices from given ones: one class after another chooses anew, the others as they are.

To a class a slice is worth what it brings, less what its joining adds to the aggregation: the slice moves
from the group of the others to that group with the class. A group that slices have is paid for; another
costs each slice its fixed price in full. That a group may be given up is tried group by group. So a choice
that is better by these shares may not be better in truth; the truth decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.solvers.search import Search
from edgeplan.solvers.sparse_update.aggregation.collectives import Collectives, collectives_of
from edgeplan.solvers.sparse_update.choices.best_choices import BestChoices
from edgeplan.solvers.sparse_update.choices.cluster import Array, Choices, Cluster
from edgeplan.solvers.sparse_update.prices.prices import option_values

_BARRED, _FEW_BARRED = 3, 1  # groups of a class of which each is given up for a trial

Limits = tuple[Array, Array, Array]
"""Of one class: allowed options, layers that it may leave alone, and allowed depths."""


@dataclass
class Improvement:
    """Improves choices of a cluster, and mends those that break rules among classes.

    Parameters
    ----------
    cluster
        The cluster.
    collectives
        What aggregation costs.
    """

    cluster: Cluster
    collectives: Collectives
    _best: BestChoices = field(init=False)

    def __post_init__(self) -> None:
        self._best = BestChoices(self.cluster)

    @classmethod
    def of(cls, cluster: Cluster) -> Improvement:
        """Return it for the collectives that the instance has."""
        return cls(cluster, collectives_of(cluster))

    def offer(self, choices: Choices, search: Search[SparseUpdate, SparsePlan]) -> bool:
        """Offer choices to a search as a plan, with what they come to here; say whether it is accepted."""
        about = float(self.cluster.count @ np.abs(self.cluster.brought(choices)))
        return search.offer(self.collectives.plan(choices), claimed=self.objective(choices), about=about)

    def objective(self, choices: Choices) -> float:
        """What choices bring, less the aggregation."""
        cluster = self.cluster
        return float(cluster.count @ cluster.brought(choices)) - self.collectives.price(
            cluster.updated(choices)
        )

    def improved(self, choices: Choices) -> Choices | None:
        """Let classes choose anew until none finds better; None where rules stay broken."""
        mended = self._mended(choices)
        if mended is None:
            return None
        choices, known, unchanged = mended, self.objective(mended), 0
        c = self.cluster.num_classes - 1
        while unchanged < self.cluster.num_classes:
            objective, better = self._best_of(c, choices)
            if objective > known + 1e-12 * abs(known):
                known, choices, unchanged = objective, better, 0
            else:
                unchanged += 1
            c = (c - 1) % self.cluster.num_classes
        return choices

    def _best_of(self, c: int, choices: Choices) -> tuple[float, Choices]:
        """The best that a class finds, with its groups as they are or without one of them."""
        limits = self._limits(c, choices, range(self.cluster.num_classes))
        groups = self.collectives.groups_of(c, self.cluster.updated(choices))
        found = [(-np.inf, choices)]
        num = _BARRED if self.cluster.is_listed else _FEW_BARRED
        for barred in (None, *groups[:num]):
            better = self._rechosen(c, choices, limits, barred)
            if better is not None:
                found.append((self.objective(better), better))
        return max(found, key=lambda one: one[0])

    def _mended(self, choices: Choices) -> Choices | None:
        """Let classes that break their own limits choose, nest from the largest memory down, then cover."""
        mended: Choices | None = choices
        for c in np.flatnonzero(~self.cluster.keeps_limits(choices)).tolist():
            mended = self._rechosen(c, choices, self._nested(c, choices, ()))
            if mended is None:
                return None
            choices = mended
        if self.cluster.instance.nested:
            order = np.argsort(-self.cluster.memory_bytes, kind="stable").tolist()
            for place, c in enumerate(order):
                limits = self._nested(c, choices, order[:place])
                mended = self._rechosen(c, choices, limits)
                if mended is None:
                    return None
                choices = mended
        while mended is not None:
            lacking = np.flatnonzero(self._covering(mended) < self.cluster.coverage)
            if not len(lacking):
                return mended
            mended = self._covered(int(lacking[0]), mended)
        return None

    def _covering(self, choices: Choices) -> Array:
        """Devices that update every layer."""
        return np.asarray(self.cluster.count @ (choices.option >= 0))

    def _covered(self, layer: int, choices: Choices) -> Choices | None:
        """Let the class update a layer that loses least by it."""  # (3)
        found: list[tuple[float, int, Choices]] = []
        for c in np.flatnonzero(choices.option[:, layer] < 0).tolist():
            allowed, may_skip, depths = self._limits(c, choices, range(self.cluster.num_classes))
            may_skip[layer], depths[: self.cluster.num_layers - layer] = 0, False
            better = self._rechosen(c, choices, (allowed, may_skip, depths))
            if better is not None:
                found.append((self.objective(better), c, better))
        return max(found, key=lambda one: one[:2])[2] if found else None

    def _limits(self, c: int, choices: Choices, others: Sequence[int]) -> Limits:
        """What a class may do beside others that stay as they are."""
        allowed, may_skip, depths = self._nested(c, choices, others)
        own = self.cluster.count[c] * (choices.option[c] >= 0)
        needed = np.flatnonzero(self._covering(choices) - own < self.cluster.coverage)
        may_skip[needed] = 0
        if len(needed):
            depths[: self.cluster.num_layers - int(needed[0])] = False
        return allowed, may_skip, depths

    def _nested(self, c: int, choices: Choices, others: Sequence[int]) -> Limits:
        """Own limits of a class, and by nesting among others."""  # (4)
        cluster = self.cluster
        allowed, may_skip = cluster.allowed[c].copy(), cluster.may_skip[c].copy()
        depths = np.isfinite(cluster.depth_gain[c])
        if cluster.instance.nested:
            memory, beside = cluster.memory_bytes, np.asarray(others, int)
            less, more = beside[memory[beside] < memory[c]], beside[memory[beside] > memory[c]]
            low = choices.option[less].max(axis=0, initial=-1)
            high = choices.option[more].min(axis=0, initial=cluster.num_options)
            of_layer, each = cluster.layer[: cluster.num_options], np.arange(cluster.num_options)
            allowed &= (each >= low[of_layer]) & (each <= high[of_layer])
            may_skip &= low < 0
            needed = np.flatnonzero(low >= 0)
            if len(needed):
                depths[: cluster.num_layers - int(needed[0])] = False
        return allowed, may_skip, depths

    def _rechosen(
        self, c: int, choices: Choices, limits: Limits, barred: Array | None = None
    ) -> Choices | None:
        """Let one class choose, by what its joining adds."""
        cluster = self.cluster
        share = np.zeros((cluster.num_classes, cluster.num_slices))
        share[c] = self.collectives.added(c, cluster.updated(choices), barred) / cluster.count[c]
        value, depth_value = option_values(cluster, share)
        allowed, may_skip, depths = limits
        rows = value[c], np.where(depths, depth_value[c], -np.inf), allowed, may_skip
        found = self._best.find_one(c, rows)
        return None if found is None else _with(choices, c, *found)


def _with(choices: Choices, c: int, depth: int, option: Array) -> Choices:
    depths, options = choices.depth.copy(), choices.option.copy()
    depths[c], options[c] = depth, option
    return Choices(depths, options)
