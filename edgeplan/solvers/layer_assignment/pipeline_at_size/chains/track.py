"""Candidates within a threshold: which runs each can serve and which links carry what."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.candidates import Candidates
from edgeplan.solvers.layer_assignment.pipeline_at_size.clock import Clock
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Bools, Floats, Ints
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.runs import relaxed


@dataclass(frozen=True)
class Track:
    """Candidates within a threshold on the bottleneck; infinity is none.

    Parameters
    ----------
    stages_behind
        Fewest stages behind each cut that any plan within the threshold has; more than there are layers
        where no plan goes on.
    clock
        The time left.
    """

    candidates: Candidates
    threshold_s: float
    stages_behind: Ints
    clock: Clock

    @cached_property
    def most_bytes(self) -> Floats:
        """Most bytes of each link, shape [sender, receiver]."""
        return self.candidates.pairs.most_bytes(self.threshold_s)

    @cached_property
    def first_starts(self) -> Ints:
        """First start of a run to each end, shape [end, node]; the end itself where there is no run."""
        runs = self.candidates.field.runs
        starts = [np.zeros(len(self.candidates.nodes), dtype=np.int64)]
        for end in range(1, runs.num_layers + 1):
            level = runs.level_of(1 + int(self.stages_behind[end]))
            starts.append(self.candidates.starts_within(self.threshold_s, end, level))
        return np.stack(starts)

    def may_begin(self, first: int, end: int) -> Bools:
        """Whether each node's run to `end` may begin at each start from `first` on, shape [start, node]."""
        starts = np.arange(first, end)[:, None]
        fits = (starts >= self.first_starts[end]) & (starts <= self.candidates.last_starts)
        if self.is_overlapping:
            return np.asarray(fits)
        return np.asarray(fits & (self.least_busy_s(first, end) <= relaxed(self.threshold_s)))

    @property
    def is_overlapping(self) -> bool:
        """Whether transfers overlap with computing."""
        return self.candidates.field.problem.instance.overlap

    def least_busy_s(self, first: int, end: int) -> Floats:
        """Stage time with the shortest links before and behind, shape [start, node]."""
        links = self._shortest_links
        computing = self.candidates.field.runs.compute_to(self.candidates.nodes, first, end)
        return np.asarray(links[0][first:end] + computing + links[1][end])

    @cached_property
    def _shortest_links(self) -> tuple[Floats, Floats]:
        """Shortest link of each node over each cut, as receiver and as sender, shape [cut, node]."""
        n, num_nodes = self.candidates.field.runs.num_layers, len(self.candidates.nodes)
        before, behind = np.zeros((n + 1, num_nodes)), np.zeros((n + 1, num_nodes))
        for cut in range(1, n):
            seconds = self.candidates.pairs.seconds(self.candidates.field.runs.cut_bytes[cut])
            before[cut], behind[cut] = seconds.min(axis=0), seconds.min(axis=1)
        return before, behind

    @property
    def shortest_before_s(self) -> Floats:
        """Shortest link to each node over each cut, shape [cut, node]."""
        return self._shortest_links[0]
