"""Columns of the relaxation: groups of kinds, each as good as the best of its members in every figure.

A column costs at most what any of its members costs and serves at most as many stages as it has nodes,
so a bound over columns holds for the instance as written. Splitting a column tightens the bound; a
column of one kind is exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.solvers.layer_assignment.at_size.groups.kinds import FIGURES, ROW
from edgeplan.solvers.layer_assignment.at_size.groups.work import Work
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools, Floats, Ints

Group = Ints
_SINGLES = 6  # groups of at most so many kinds are split into single kinds
_EDGES = np.array([0.02, 0.15, 0.5])  # of the spread, where a group is cut: few good ones, many others


@dataclass(frozen=True)
class Columns:
    """Groups of kinds with their corners and costs, in order of their receiving rate.

    Parameters
    ----------
    work
        Runs and kinds.
    groups
        Indices of the kinds of each column.
    own
        Weighted cost of a stage but for what depends on the sender; infinite where no member may
        serve; shape [runs, columns].
    """

    work: Work
    groups: tuple[Group, ...]
    own: Floats

    @classmethod
    def of(cls, work: Work, groups: Sequence[Group]) -> Columns:
        """Build from groups that partition the kinds."""
        ordered = _by_receiving_rate(work, groups)
        return cls(work, ordered, _own_costs(work, ordered))

    def split(self, parts: dict[int, list[Group]]) -> Columns:
        """Return columns with some of them split.

        Parameters
        ----------
        parts
            New groups of each column that is split.
        """
        kept = [column for column in range(len(self.groups)) if column not in parts]
        fresh = [group for new in parts.values() for group in new]
        groups = [*(self.groups[column] for column in kept), *fresh]
        pruned = [np.isinf(self.own[:, old]) for old, new in parts.items() for _ in new]
        fresh_own = np.where(np.stack(pruned, axis=1), math.inf, _own_costs(self.work, fresh))
        own = np.concatenate([self.own[:, kept], fresh_own], axis=1)
        order = np.argsort(_corners(self.work, groups)[ROW["in_s_per_bit"]], kind="stable")
        return Columns(self.work, tuple(groups[k] for k in order), own[:, order])

    def keeping(self, useful: Bools) -> Columns:
        """Return the same columns without the pairs that are not useful, shape [runs, columns]."""
        return Columns(self.work, self.groups, np.where(useful, self.own, math.inf))

    def only(self, chosen: Bools) -> Columns:
        """Return some of the columns."""
        groups = tuple(self.groups[k] for k in np.flatnonzero(chosen))
        return Columns(self.work, groups, self.own[:, chosen])

    @property
    def num_columns(self) -> int:
        """Number of columns."""
        return len(self.groups)

    @cached_property
    def figures(self) -> Floats:
        """Corner of each column, shape [FIGURES, columns]."""
        return _corners(self.work, self.groups)

    @cached_property
    def capacity(self) -> Floats:
        """Number of nodes of each column, shape [columns]."""
        return np.array([self.work.kinds.sizes[group].sum() for group in self.groups], dtype=float)

    @cached_property
    def is_single(self) -> Bools:
        """Whether a column is one kind, shape [columns]."""
        return np.array([len(group) == 1 for group in self.groups])

    @cached_property
    def is_exact(self) -> Bools:
        """Whether a column's costs are those of its nodes, shape [columns]."""
        linked = self.work.kinds.is_linked
        return np.array([len(group) == 1 and not linked[group[0]] for group in self.groups])

    @cached_property
    def sender_extra(self) -> Floats:
        """Weighted cost of a second of sending besides its time, shape [columns]."""
        weights = self.work.problem.instance.objective
        power, price = self.figures[ROW["transmit_power_w"]], self.figures[ROW["price_per_s"]]
        return np.asarray(weights.energy_j * power + weights.price * price)

    @cached_property
    def slowest_sending(self) -> Floats:
        """Largest seconds per bit among the members of each column as senders, shape [columns]."""
        values = self.work.kinds.figures[ROW["out_s_per_bit"]]
        return np.array([values[group].max() for group in self.groups])


def parts_of(work: Work, group: Group, run: int) -> list[Group]:
    """Groups to split one into where `run` leads through it: by what differs most in cost."""
    if len(group) <= _SINGLES:
        return [group[k : k + 1] for k in range(len(group))]
    spread = _spread(work, group, run)
    widest = int(np.argmax(spread.max(axis=1) - spread.min(axis=1)))
    values = spread[widest]
    low, width = values.min(), values.max() - values.min()
    if width <= 0:  # alike for this run; halve them in any order
        return [group[: len(group) // 2], group[len(group) // 2 :]]
    bins = np.searchsorted(low + width * _EDGES, values, side="left")
    return [group[bins == k] for k in range(len(_EDGES) + 1) if (bins == k).any()]


def _by_receiving_rate(work: Work, groups: Sequence[Group]) -> tuple[Group, ...]:
    order = np.argsort(_corners(work, groups)[ROW["in_s_per_bit"]], kind="stable")
    return tuple(groups[k] for k in order)


def _corners(work: Work, groups: Sequence[Group]) -> Floats:
    figures = work.kinds.figures
    if not groups:
        return np.zeros((len(FIGURES), 0))
    lengths = [len(group) for group in groups]
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return np.asarray(np.minimum.reduceat(figures[:, np.concatenate(groups)], starts, axis=1))


def _spread(work: Work, group: Group, run: int) -> Floats:
    """What each figure adds to the cost of `run` for each member, shape [some figures, members]."""
    figures, weights = work.kinds.figures[:, group], work.problem.instance.objective
    seconds = work.units[work.kinds.work_type[group], run] * figures[ROW["unit_s"]]
    bits = (work.bits_out if not work.is_peer else work.bits_in)[run]
    price = figures[ROW["price_per_s"]]
    power_cost = weights.energy_j * (figures[ROW["compute_power_w"]] * seconds)
    lacks = figures[ROW["lacking_memory"]] > -work.memory_ranks[run]
    total = weights.time_s * seconds + power_cost
    return np.stack(
        [
            lacks * 1e3 * (total.max() + 1e-30),  # what a member cannot hold comes first
            weights.time_s * seconds,
            weights.time_s * work.bits_in[run] * figures[ROW["in_s_per_bit"]],
            weights.time_s * bits * figures[ROW["out_s_per_bit"]],
            weights.time_s * (figures[ROW["in_latency_s"]] + figures[ROW["out_latency_s"]]),
            power_cost,
            weights.energy_j * figures[ROW["transmit_power_w"]] * bits * figures[ROW["out_s_per_bit"]],
            weights.price * price * seconds,
        ]
    )


def _own_costs(work: Work, groups: Sequence[Group]) -> Floats:
    """Weighted cost of every run on every column, shape [runs, columns]."""  # (5), (6), (8)
    corners, weights = _corners(work, groups), work.problem.instance.objective
    costs = np.empty((len(work.starts), len(groups)))
    for column, group in enumerate(groups):
        corner, kind = corners[:, column], int(group[0])
        special = int(work.kinds.members[kind][0]) if work.kinds.special[kind] else None
        seconds = work.units[work.kinds.work_type[kind]] * corner[ROW["unit_s"]]
        price = weights.price * corner[ROW["price_per_s"]]
        cost = seconds * (weights.time_s + weights.energy_j * corner[ROW["compute_power_w"]] + price)
        cost += _receiving_cost(work, corner) if work.is_peer else _server_cost(work, corner)
        costs[:, column] = np.where(work.allowed(corner, special), cost, math.inf)
    return costs


def _receiving_cost(work: Work, corner: Floats) -> Floats:
    """What a receiver pays for its transfer besides the time, at least; shape [runs]."""
    price = work.problem.instance.objective.price * corner[ROW["price_per_s"]]
    latency = corner[ROW["in_latency_s"]] + work.kinds.figures[ROW["out_latency_s"]].min()
    return np.asarray(price * (latency + work.bits_in * corner[ROW["in_s_per_bit"]]))


def _server_cost(work: Work, corner: Floats) -> Floats:
    """What both transfers with the server cost, shape [runs]."""
    weights, network = work.problem.instance.objective, work.problem.instance.network
    server = network.nodes[network.index_of[str(work.problem.server)]]
    both = weights.time_s + weights.price * (corner[ROW["price_per_s"]] + server.price_per_s)
    into = corner[ROW["in_latency_s"]] + work.bits_in * corner[ROW["in_s_per_bit"]]
    out = corner[ROW["out_latency_s"]] + work.bits_out * corner[ROW["out_s_per_bit"]]
    in_weight = both + weights.energy_j * server.transmit_power_w
    out_weight = both + weights.energy_j * corner[ROW["transmit_power_w"]]
    return np.asarray(in_weight * into + out_weight * out)
