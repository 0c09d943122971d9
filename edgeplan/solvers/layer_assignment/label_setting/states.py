"""How many of each type a walk has used, packed into whole numbers, and how many states that makes.

Types of which a plan cannot run out need no count. Where the order of nodes is given, the last node
says which are left, and none is counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.solvers.layer_assignment.label_setting.labels import Labels
from edgeplan.solvers.layer_assignment.label_setting.walk import Walk
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools, Ints

_WORD = 2**62
_LABELS_PER_CRITERION = 20.0  # beyond the first; measured on random instances of 24 layers


@dataclass(frozen=True)
class States:
    """The states of a walk's labels at one position.

    Parameters
    ----------
    walk
        Steps and limits.
    """

    walk: Walk

    @cached_property
    def in_order(self) -> bool:
        """Whether the nodes must come in the order given."""
        return self.walk.problem.instance.node_order == "given"

    @cached_property
    def counted(self) -> list[int]:
        """Types whose uses are counted."""
        if self.in_order:
            return []
        capacities = self.walk.types.capacities
        return [kind for kind, capacity in enumerate(capacities) if capacity < self.walk.most_stages]

    @cached_property
    def _digits(self) -> dict[int, tuple[int, int]]:
        """Word and place value of each counted type."""
        digits, word, value = {}, 0, 1
        for kind in self.counted:
            base = self.walk.types.capacities[kind] + 1
            if value * base > _WORD:
                word, value = word + 1, 1
            digits[kind] = (word, value)
            value *= base
        return digits

    @property
    def num_words(self) -> int:
        """Whole numbers that hold the counts."""
        return max((word for word, _ in self._digits.values()), default=-1) + 1

    @cached_property
    def _stages_matter(self) -> int:
        """Number up to which stages are told apart."""
        limits, walk = self.walk.problem.instance.limits, self.walk
        natural = min(walk.num_positions, sum(walk.types.capacities))
        if walk.most_stages < natural or walk.may_have_tail_limits:
            return natural
        return min(limits.min_nodes, natural) if limits.min_nodes > 1 else 0

    def key(self, labels: Labels) -> Ints:
        """Members of each label's state, few for fast sorting, shape [labels, members]."""
        last = labels.last if self.in_order else self.walk.groups[labels.last]
        stages = np.minimum(labels.count, self._stages_matter)
        rest = last.astype(np.int64) * (self._stages_matter + 1) + stages
        most_rest = len(self.walk.types) * (self._stages_matter + 1)
        if self.num_words == 1 and self._most_used * most_rest < _WORD:
            return np.asarray(labels.used * most_rest + rest[:, None])
        return np.concatenate([labels.used, rest[:, None]], axis=1)

    @cached_property
    def _most_used(self) -> int:
        """Packed counts are below this where one word holds them."""
        return math.prod(self.walk.types.capacities[kind] + 1 for kind in self.counted)

    def may_serve(self, labels: Labels) -> Bools:
        """Whether a node of a type is left to go on with, shape [labels, types]."""
        kinds = np.arange(len(self.walk.types))
        if self.in_order:
            after, last = kinds[None, :], labels.last[:, None]
            in_turn = after < last if self.walk.problem.is_pipeline else after > last
            return np.asarray(in_turn | (last < 0))
        left = np.ones((len(labels), len(kinds)), dtype=bool)
        for kind, (word, value) in self._digits.items():
            capacity = self.walk.types.capacities[kind]
            left[:, kind] = labels.used[:, word] // value % (capacity + 1) < capacity
        return left

    @cached_property
    def use_of(self) -> Ints:
        """What a stage on each type adds to the packed counts, shape [types, words]."""
        uses = np.zeros((len(self.walk.types), self.num_words), dtype=np.int64)
        for kind, (word, value) in self._digits.items():
            uses[kind, word] = value
        return uses

    def number(self) -> int:
        """Upper estimate of the number of states over all positions and closings."""
        walk, most = self.walk, self.walk.most_stages
        n, num_types = walk.num_positions, len(walk.types)
        if self.in_order:
            return len(walk.closings) * n * num_types * max(1, self._stages_matter)
        vectors = self._num_vectors(most)
        lasts = int(walk.groups.max(initial=-1)) + 1
        if len(self.counted) < num_types:  # some type never runs out: any stages beside the counted ones
            of_position = [sum(vectors[: p + 1]) for p in range(1, n + 1)]
            return len(walk.closings) * sum(of_position) * lasts * max(1, self._stages_matter)
        of_stages = [vectors[k] * min(k, lasts) * (n - k + 1) for k in range(1, most + 1)]
        return len(walk.closings) * sum(of_stages)

    def effort(self) -> float:
        """Rough number of labels: a state has several where labels carry more than one number."""
        return float(self.number()) * _LABELS_PER_CRITERION ** (self.walk.num_criteria - 1)

    def _num_vectors(self, most: int) -> list[int]:
        """Ways to use so many nodes of the counted types, by that number."""
        ways = [1] + [0] * most
        for kind in self.counted:
            capacity = self.walk.types.capacities[kind]
            ways = [sum(ways[max(0, k - capacity) : k + 1]) for k in range(most + 1)]
        return ways
