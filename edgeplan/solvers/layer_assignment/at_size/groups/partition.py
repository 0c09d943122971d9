"""The first columns: fine where nodes are good for some run, coarse elsewhere."""

from __future__ import annotations

import heapq
from itertools import count

import numpy as np

from edgeplan.solvers.layer_assignment.at_size.groups.columns import Columns, Group, parts_of
from edgeplan.solvers.layer_assignment.at_size.groups.kinds import ROW
from edgeplan.solvers.layer_assignment.at_size.groups.work import Work

_SINGLES_PER_RUN = 24
_SPLITS_PER_RUN = 80


def first_columns(work: Work) -> Columns:
    """Partition the kinds, splitting again and again the group with the cheapest corner."""
    groups = _unlike_groups(work)
    for run in _sample_runs(work):
        groups = _refined(work, groups, run)
    return Columns.of(work, groups)


def _unlike_groups(work: Work) -> list[Group]:
    """Kinds that cannot share a column: other work types, special nodes."""
    kinds = work.kinds
    keys = np.stack([kinds.special, kinds.work_type])
    _, group_of = np.unique(keys, axis=1, return_inverse=True)
    group_of = group_of.ravel()
    order = np.argsort(group_of, kind="stable")
    starts = np.searchsorted(group_of[order], np.arange(1, int(group_of.max()) + 1))
    return list(np.split(order, starts))


def _sample_runs(work: Work) -> list[int]:
    """Runs of several lengths in the middle of the layers."""
    longest = work.problem.instance.limits.max_layers_per_node or work.num_positions
    longest = min(longest, work.num_positions)
    lengths = sorted({1, 2, 4, 8, 16, 32, longest} & set(range(1, longest + 1)))
    starts = [(work.num_positions - length) // 2 for length in lengths]
    return [work.run(start, start + length) for start, length in zip(starts, lengths, strict=True)]


def _refined(work: Work, groups: list[Group], run: int) -> list[Group]:
    """Split the groups with the cheapest corners for this run."""
    tie = count()
    heap = [(_corner_cost(work, group, run), next(tie), group) for group in groups]
    heapq.heapify(heap)
    done: list[Group] = []
    num_splits = 0
    while heap and len(done) < _SINGLES_PER_RUN and num_splits < _SPLITS_PER_RUN:
        cost, _, group = heapq.heappop(heap)
        if len(group) == 1 or not np.isfinite(cost):
            done.append(group)
            continue
        num_splits += 1
        for part in parts_of(work, group, run):
            heapq.heappush(heap, (_corner_cost(work, part, run), next(tie), part))
    return done + [group for _, _, group in heap]


def _corner_cost(work: Work, group: Group, run: int) -> float:
    """Cost of the run on the best of a group, transfers at its own rates."""
    corner = work.kinds.figures[:, group].min(axis=1)
    if corner[ROW["lacking_memory"]] > -work.memory_ranks[run]:
        return float("inf")
    weights = work.problem.instance.objective
    seconds = work.units[work.kinds.work_type[group[0]], run] * corner[ROW["unit_s"]]
    sent = (work.bits_in if work.is_peer else work.bits_out)[run]
    moving = (
        corner[ROW["in_latency_s"]]
        + corner[ROW["out_latency_s"]]
        + work.bits_in[run] * corner[ROW["in_s_per_bit"]]
        + sent * corner[ROW["out_s_per_bit"]]
    )
    price = weights.price * corner[ROW["price_per_s"]]
    computing = weights.time_s + weights.energy_j * corner[ROW["compute_power_w"]] + price
    transfer = weights.time_s + weights.energy_j * corner[ROW["transmit_power_w"]] + price
    return float(seconds * computing + moving * transfer)
