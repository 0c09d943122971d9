"""Chains of stages whose times all keep a threshold, nodes free to serve several stages.

From the last layer to the first: which node can begin where, with how many stages to the end. What no
chain reaches, no plan reaches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.candidates import Candidates
from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.counts import Counts
from edgeplan.solvers.layer_assignment.pipeline_at_size.clock import Clock
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Bools, Floats, Ints
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.runs import relaxed


@dataclass(frozen=True)
class Reach:
    """What is reachable within one threshold.

    Parameters
    ----------
    counts
        The states.
    beginning
        By position: whether a stage of each node may begin there, shape [node, state - 1].
    """

    counts: Counts
    beginning: list[Bools]

    @property
    def is_feasible(self) -> bool:
        """Whether there is any chain."""
        return bool(self.beginning[0][:, self.counts.fewest - 1 :].any())

    @property
    def stages_behind(self) -> Ints:
        """Fewest stages behind each cut, shape [n + 1]; more than there are layers where there are none."""
        n = len(self.beginning)
        fewest = [
            int(np.argmax(begins.any(axis=0))) + 1 if begins.any() else n + 1 for begins in self.beginning
        ]
        return np.array([*fewest, 0])


def reach(candidates: Candidates, counts: Counts, threshold_s: float, clock: Clock) -> Reach:
    """Find what is reachable within a threshold."""
    if candidates.field.problem.instance.overlap:
        return _reach_overlapping(candidates, counts, threshold_s, clock)
    return _reach_in_turn(candidates, counts, threshold_s, clock)


def _reach_overlapping(candidates: Candidates, counts: Counts, threshold_s: float, clock: Clock) -> Reach:
    runs = candidates.field.runs
    most_bytes = candidates.pairs.most_bytes(threshold_s)
    n, most = runs.num_layers, counts.most
    # nearest end of a run with this many stages behind it, as the start moves to the front
    nearest = np.full((len(candidates.nodes), most + 1), n + 1, dtype=np.int64)
    nearest[:, 0] = n
    beginning: list[Bools] = []
    for start in range(n - 1, -1, -1):
        cut = start + 1
        if cut < n:
            follows = _senders_to(beginning[-1], runs.cut_bytes[cut] <= most_bytes)
            follows &= (candidates.first_ends <= cut)[:, None]
            nearest[:, 1:][follows] = cut
        last = candidates.ends_within(threshold_s, start)[counts.levels].T
        begins = nearest[:, :most] <= last
        if counts.is_open:
            begins[:, -1] |= nearest[:, most] <= last[:, -1]
        beginning.append(begins)
        clock.check()
    return Reach(counts, beginning[::-1])


def _senders_to(begins: Bools, meets: Bools) -> Bools:
    """Which nodes meet one of those that begin, shape [node, state - 1]."""
    meeting, marked = _packed(meets), _packed(begins.T)
    return np.stack([(meeting & marked[state]).any(axis=1) for state in range(len(marked))], axis=1)


def _packed(flags: Bools) -> npt.NDArray[np.uint64]:
    """Rows of flags as bits of whole words; no BLAS, whose threads would fight over the cores."""
    padded = np.zeros((len(flags), -(-flags.shape[1] // 64) * 64), dtype=np.bool_)
    padded[:, : flags.shape[1]] = flags
    return np.packbits(padded, axis=1).view(np.uint64)


def _reach_in_turn(candidates: Candidates, counts: Counts, threshold_s: float, clock: Clock) -> Reach:
    """Without overlap a stage's time has the links on both sides: least time of stage and link behind."""
    runs, most_s = candidates.field.runs, relaxed(threshold_s)
    n, num_nodes, most = runs.num_layers, len(candidates.nodes), counts.most
    link_s = np.full((n + 1, num_nodes, most + 1), np.inf)  # least link over each cut, by stages behind
    link_s[n, :, 0] = 0.0
    beginning: list[Bools] = []
    for start in range(n - 1, -1, -1):
        last = candidates.ends_within(threshold_s, start)[counts.levels]
        busy_s = np.full((num_nodes, most), np.inf)
        for end in range(start + 1, int(last.max(initial=start)) + 1):
            computing = runs.compute_s(candidates.nodes, start, end)[:, None]
            behind = link_s[end, :, :most].copy()
            if counts.is_open:
                behind[:, -1] = np.minimum(behind[:, -1], link_s[end, :, most])
            fits = (end <= last.T) & (candidates.first_ends <= end)[:, None]
            busy_s = np.minimum(busy_s, np.where(fits, computing + behind, np.inf))
        busy_s[busy_s > most_s] = np.inf
        beginning.append(np.isfinite(busy_s))
        if start > 0:
            seconds = candidates.pairs.seconds(runs.cut_bytes[start])
            for state in np.flatnonzero(beginning[-1].any(axis=0)).tolist():
                link_s[start, :, state + 1] = _least_link(seconds, busy_s[:, state], most_s)
        clock.check()
    return Reach(counts, beginning[::-1])


def _least_link(seconds: Floats, busy_s: Floats, most_s: float) -> Floats:
    """Least link of each sender to a node that then keeps the threshold."""
    rows = np.flatnonzero(np.isfinite(busy_s))
    of_rows = seconds[:, rows]
    return np.asarray(np.where(of_rows + busy_s[rows] <= most_s, of_rows, np.inf).min(axis=1))
