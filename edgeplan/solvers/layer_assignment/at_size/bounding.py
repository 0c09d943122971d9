"""Raising the bound of one branch: multipliers, splitting of columns and pruning of pairs."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np

from edgeplan.solvers.layer_assignment.at_size.groups.columns import Columns, Group, parts_of
from edgeplan.solvers.layer_assignment.at_size.groups.kinds import ROW
from edgeplan.solvers.layer_assignment.at_size.groups.work import Work
from edgeplan.solvers.layer_assignment.at_size.walks import Closing, PeerWalks, ServerWalks, Walk, Walks
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools, Floats, Ints

ROUNDING = 1e-9  # relative; float sums of some hundred terms err by far less
MAX_CELLS = 6_000_000  # of a table of runs x columns, 8 bytes each
_SAMPLE_SCALE = 4.0  # a walk lacks samples by a fraction of the need, and nodes by whole visits
_STEPS = 60
_PRUNE_EVERY = 8
_MEMORY = 0.4  # of the step before in the direction of a step: subgradients alone zigzag
_LEVEL = 0.03  # how far above the best bound a step aims
_PATIENCE = 4  # steps without progress after which steps are halved
_SMALLEST_SCALE = 0.02


@dataclass(eq=False)
class Branch:
    """Plans whose last node sends at a rate within a class, and how good they can be at best.

    Parameters
    ----------
    columns
        Columns over which such plans may lead, without the pairs that only dearer plans than the best
        known take.
    fastest, slowest
        Seconds per bit of the last node as a sender.
    node_pays, direction
        Multipliers on using each kind too often, and where they went last, shape [kinds].
    count_pays, sample_pays
        Multipliers on too many stages and on too few samples.
    bound
        Proven lower bound on these plans.
    scale
        Length of steps, relative to Polyak's.
    """

    columns: Columns
    fastest: float
    slowest: float
    node_pays: Floats
    direction: Floats
    count_pays: float = 0.0
    sample_pays: float = 0.0
    bound: float = 0.0
    scale: float = 1.0

    @property
    def multipliers(self) -> tuple[Floats, float, float]:
        """All multipliers."""
        return self.node_pays.copy(), self.count_pays, self.sample_pays

    @multipliers.setter
    def multipliers(self, given: tuple[Floats, float, float]) -> None:
        self.node_pays, self.count_pays, self.sample_pays = given[0].copy(), *given[1:]
        self.direction[:] = 0.0

    def halves(self, at: float) -> list[Branch]:
        """Split the class at a rate."""
        pays, direction = self.node_pays.copy(), self.direction.copy()
        return [
            replace(self, slowest=at),
            replace(self, fastest=float(np.nextafter(at, math.inf)), node_pays=pays, direction=direction),
        ]


@dataclass(frozen=True)
class Bounding:
    """Lower bounds on plans with more than one stage, or any with a server.

    Parameters
    ----------
    work
        Runs and kinds.
    until
        Monotonic time at which to end.
    """

    work: Work
    until: float

    @property
    def levels(self) -> int:
        """Least number of stages."""
        least = max(self.work.problem.instance.limits.min_nodes, 2 if self.work.is_peer else 1)
        return min(least, self.work.num_positions)

    @property
    def max_nodes(self) -> int:
        """Most stages."""
        limit = self.work.problem.instance.limits.max_nodes
        return min(limit or self.work.num_positions, self.work.num_positions)

    def first_branch(self, columns: Columns) -> Branch:
        """All plans, over columns that hold every kind."""
        sending = self.work.kinds.figures[ROW["out_s_per_bit"]]
        zeros = np.zeros(sending.shape)
        return Branch(columns, float(sending.min()), float(sending.max()), zeros, zeros.copy())

    def walks(self, branch: Branch) -> Walks:
        """Walks of a branch."""
        return (PeerWalks if self.work.is_peer else ServerWalks)(branch.columns, self.levels)

    def closing(self, branch: Branch) -> Closing:
        """Closing class of a branch."""
        columns = branch.columns
        if not self.work.is_peer:
            return Closing(np.ones(columns.num_columns, dtype=bool))
        fits = (columns.figures[ROW["out_s_per_bit"]] <= branch.slowest) & (
            columns.slowest_sending >= branch.fastest
        )
        over = Closing.over(columns, fits)
        return Closing(fits, max(over.s_per_bit, branch.fastest), over.latency_s, over.extra)

    def pays(self, branch: Branch) -> tuple[Floats, float]:
        """What a stage on each column pays, and what every plan gets back at least."""
        nodes, columns = self._node_pays(branch), branch.columns
        refund = float(nodes @ columns.capacity) + branch.count_pays * self.max_nodes
        paid = nodes + branch.count_pays
        least = self.work.problem.instance.limits.min_samples
        if least > 0:
            paid = paid + branch.sample_pays * _SAMPLE_SCALE * columns.figures[ROW["lacking_samples"]] / least
            refund -= branch.sample_pays * _SAMPLE_SCALE
        return paid, refund

    @staticmethod
    def _node_pays(branch: Branch) -> Floats:
        return np.array([branch.node_pays[group].min() for group in branch.columns.groups])

    def raise_branch(self, branch: Branch, target: float, upper: float) -> float | None:
        """Raise the bound of a branch to `target` if that can be done soon.

        Parameters
        ----------
        upper
            Cost of a known plan, for the length of steps; may be infinite.

        Returns
        -------
        float or None
            Rate at which to split the closing class, where that would help more.
        """
        best, stalled, split_at, kept = 0.0, 0, None, branch.multipliers
        branch.scale = max(branch.scale, 0.1)
        for step in range(_STEPS):
            if time.monotonic() > self.until:
                break
            walks, closing = self.walks(branch), self.closing(branch)
            pays, refund = self.pays(branch)
            completion = walks.completion(pays, closing)
            walk = walks.walk(pays, closing, completion)
            if not walk.steps:  # all that is left out costs at least as much as the best plan known
                branch.bound = upper
                break
            value = walk.cost - refund - ROUNDING * (abs(walk.cost) + abs(refund))
            improved = value > best * (1 + 1e-5)
            if improved:
                best, kept = value, branch.multipliers
            branch.bound = max(branch.bound, min(value, upper))
            if value >= target:
                break
            if step % _PRUNE_EVERY == 1 and math.isfinite(upper):
                through = walks.through(pays, closing, completion) - refund
                self.prune(branch, through - ROUNDING * (abs(refund) + abs(upper)) < upper)
                continue
            mismatch, split_at = self._mismatch(branch, walk)
            if mismatch > 0.5 * (upper - value) and step > 0:
                break
            if stalled >= _PATIENCE and mismatch > 0.25 * (target - value):
                break
            level = min(upper, max(best, value) * (1 + _LEVEL))
            stepped = self._step(branch, walk, level - value)
            refined = self._split(branch, walk)
            stalled = 0 if improved or refined else stalled + 1
            if stalled and stalled % _PATIENCE == 0:
                branch.scale /= 2
                branch.multipliers = kept
            if not (stepped or refined) or branch.scale < _SMALLEST_SCALE:
                break
        branch.multipliers = kept
        return split_at if branch.bound < target else None

    def _mismatch(self, branch: Branch, walk: Walk) -> tuple[float, float | None]:
        """What the walk's last node would make the first transfer dearer, and where to split for it."""
        if not self.work.is_peer:
            return 0.0, None
        figures, (run, column) = branch.columns.figures, walk.steps[0]
        near = figures[ROW["in_s_per_bit"], column]
        last = max(branch.fastest, float(figures[ROW["out_s_per_bit"], walk.steps[-1][1]]))
        slower = max(last, near) - max(branch.fastest, near)
        cost = float(self.work.problem.instance.objective.time_s * self.work.bits_in[run] * slower)
        at = (branch.fastest + last) / 2
        return cost, at if branch.fastest <= at < min(last, branch.slowest) else None

    @staticmethod
    def prune(branch: Branch, useful: Bools) -> None:
        """Drop the pairs of run and column through which only dearer walks lead."""
        branch.columns = branch.columns.keeping(useful).only(np.asarray(useful.any(axis=0)))

    def _split(self, branch: Branch, walk: Walk) -> bool:
        """Split the columns of several kinds on the walk; False if there are none, or no room."""
        columns = branch.columns
        parts: dict[int, list[Group]] = {}
        for run, column in walk.steps:
            group = columns.groups[column]
            if len(group) > 1 and column not in parts:
                parts[column] = parts_of(self.work, group, run)
        cells = (columns.num_columns + 4 * len(parts)) * len(self.work.starts)
        if not parts or cells > MAX_CELLS:
            return False
        branch.columns = columns.split(parts)
        return True

    def _step(self, branch: Branch, walk: Walk, distance: float) -> bool:
        """Move the multipliers; False if the walk breaks no limit that they price."""
        columns = branch.columns
        visits = np.bincount([column for _, column in walk.steps], minlength=columns.num_columns)
        nodes, excess = self._node_pays(branch), visits - columns.capacity
        excess = np.where((nodes > 0) | (excess > 0), excess, 0.0)
        before = np.array([branch.direction[group[0]] for group in columns.groups])
        excess = excess + _MEMORY * before
        over = float(len(walk.steps) - self.max_nodes)
        over = over if over > 0 or branch.count_pays > 0 else 0.0
        lacking = self._lacking_samples(branch, visits)
        norm = float(excess @ excess) + over**2 + lacking**2
        if norm <= 0:
            return False
        length = branch.scale * distance / norm
        branch.direction[:] = 0
        for column in np.flatnonzero(excess):
            group = columns.groups[column]
            branch.direction[group] = excess[column]
            branch.node_pays[group] = max(0.0, nodes[column] + length * excess[column])
        branch.count_pays = max(0.0, branch.count_pays + length * over)
        branch.sample_pays = max(0.0, branch.sample_pays + length * lacking)
        return True

    def _lacking_samples(self, branch: Branch, visits: Ints) -> float:
        least = self.work.problem.instance.limits.min_samples
        if least == 0:
            return 0.0
        lacking = _SAMPLE_SCALE * (1 + float(visits @ branch.columns.figures[ROW["lacking_samples"]]) / least)
        return lacking if lacking > 0 or branch.sample_pays > 0 else 0.0
