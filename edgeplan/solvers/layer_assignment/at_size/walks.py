"""Cheapest walks over positions in which columns may serve repeatedly: bounds, and steps to prune.

A walk starts with parameters from a closing sender and must end on a column of the same closing class,
so the cycle is closed up to the width of the class. States are (position, stages still to come, last
column). A transfer takes the slower of the sender's and the receiver's rate; with the columns sorted by
both, prefix and suffix minima replace the columns x columns table.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.solvers.layer_assignment.at_size.groups.columns import Columns
from edgeplan.solvers.layer_assignment.at_size.groups.kinds import ROW
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools, Floats, Ints

Step = tuple[int, int]  # run, column


@dataclass(frozen=True)
class Closing:
    """Columns on which the walk may end, and the best of what they have as senders.

    Parameters
    ----------
    ends
        Whether a column may be the last, shape [columns].
    s_per_bit, latency_s, extra
        Of the sender of the first transfer.
    """

    ends: Bools
    s_per_bit: float = 0.0
    latency_s: float = 0.0
    extra: float = 0.0

    @classmethod
    def over(cls, columns: Columns, ends: Bools) -> Closing:
        """Build from the columns that may be the last."""
        if not ends.any():
            return cls(ends)
        figures = columns.figures[:, ends]
        return cls(
            ends,
            float(figures[ROW["out_s_per_bit"]].min()),
            float(figures[ROW["out_latency_s"]].min()),
            float(columns.sender_extra[ends].min()),
        )


@dataclass(frozen=True)
class Walk:
    """A cheapest walk: what it costs and its steps; no steps and an infinite cost if there is none."""

    cost: float
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Walks(ABC):
    """Walks over the columns.

    Parameters
    ----------
    columns
        Columns and their costs.
    levels
        Least number of stages, K; stages are counted up to it.
    """

    columns: Columns
    levels: int

    @abstractmethod
    def completion(self, pays: Floats, closing: Closing) -> Floats:
        """Cheapest way from each state to the end, shape [n + 1, K + 1, senders].

        Parameters
        ----------
        pays
            What a stage on each column costs besides, shape [columns].
        """

    @abstractmethod
    def first_stages(self, rows: Ints, pays: Floats, closing: Closing) -> Floats:
        """Cost of being the first stage, shape [rows, columns]."""

    @abstractmethod
    def next_stages(self, rows: Ints, sender: int, pays: Floats) -> Floats:
        """Cost of a stage after `sender`, shape [rows, columns]."""

    @abstractmethod
    def through(self, pays: Floats, closing: Closing, completion: Floats) -> Floats:
        """Cheapest walk through each pair of run and column, shape [runs, columns]."""

    @cached_property
    def rows_from(self) -> list[Ints]:
        """Runs that start at each position and that some column may serve."""
        work = self.columns.work
        served = np.asarray(np.isfinite(self.columns.own).any(axis=1))
        n = work.num_positions
        rows = [np.arange(work.run(p, p + 1), work.run(p, n) + 1) for p in range(n)]
        return [of_start[served[of_start]] for of_start in rows]

    @cached_property
    def fewer(self) -> Ints:
        """Level after one more stage, by level."""
        return np.maximum(np.arange(self.levels + 1) - 1, 0)

    @cached_property
    def _fewest_before(self) -> list[int]:
        """Fewest stages to each position."""
        return _fewest(self.columns.work.num_positions, self._lengths)

    @cached_property
    def _fewest_after(self) -> list[int]:
        """Fewest stages from each position to the end."""
        return _fewest(self.columns.work.num_positions, self._lengths)[::-1]

    @cached_property
    def _lengths(self) -> int:
        """Most layers of a run that some column may serve."""
        work = self.columns.work
        served = np.isfinite(self.columns.own).any(axis=1)
        return int((work.ends - work.starts)[served].max(initial=1))

    def levels_at(self, position: int) -> tuple[int, int]:
        """Levels that matter at a position: below the first they are alike, the last is the highest met."""
        n = self.columns.work.num_positions
        most = min(self.levels - self._fewest_before[position], n - position)
        least = max(self.levels - position, self._fewest_after[position], 0)
        most = max(most, 0)
        return min(least, most), most

    def senders_of(self, completion: Floats) -> Floats:
        """Completion by column; with a server all columns share one sender."""
        return np.broadcast_to(completion, (*completion.shape[:2], self.columns.num_columns))

    def walk(self, pays: Floats, closing: Closing, completion: Floats) -> Walk:
        """Follow the cheapest completion from the start."""
        ends, n = self.columns.work.ends, self.columns.work.num_positions
        rest = self.senders_of(completion)
        steps: list[Step] = []
        position, level, total = 0, self.levels, math.inf
        while position < n:
            rows = self.rows_from[position]
            if not len(rows):
                return Walk(math.inf, ())
            if steps:
                stage = self.next_stages(rows, steps[-1][1], pays)
            else:
                stage = self.first_stages(rows, pays, closing)
            reach = stage + rest[ends[rows], self.fewer[level]]
            place, column = np.unravel_index(int(np.argmin(reach)), reach.shape)
            if not steps:
                total = float(reach[place, column])
                if not math.isfinite(total):
                    return Walk(math.inf, ())
            steps.append((int(rows[place]), int(column)))
            position, level = int(ends[rows[place]]), int(self.fewer[level])
        return Walk(total, tuple(steps))


def _fewest(num_positions: int, length: int) -> list[int]:
    """Fewest runs of at most `length` over so many positions."""
    return [math.ceil(p / length) for p in range(num_positions + 1)]


@dataclass(frozen=True)
class ServerWalks(Walks):
    """With a server no stage depends on the one before."""

    def completion(self, pays: Floats, closing: Closing) -> Floats:
        """Shape [n + 1, K + 1, 1]."""
        n, ends = self.columns.work.num_positions, self.columns.work.ends
        cheapest = (self.columns.own + pays).min(axis=1)
        best = np.full((n + 1, self.levels + 1, 1), math.inf)
        best[n, 0] = 0.0
        for p in range(n - 1, -1, -1):
            rows = self.rows_from[p]
            if len(rows):
                best[p, :, 0] = (cheapest[rows, None] + best[ends[rows], :, 0][:, self.fewer]).min(axis=0)
        return best

    def first_stages(self, rows: Ints, pays: Floats, closing: Closing) -> Floats:
        """Cost of a stage."""
        return np.asarray(self.columns.own[rows] + pays)

    def next_stages(self, rows: Ints, sender: int, pays: Floats) -> Floats:
        """Cost of a stage."""
        return np.asarray(self.columns.own[rows] + pays)

    def through(self, pays: Floats, closing: Closing, completion: Floats) -> Floats:
        """Cheapest walk through each pair, shape [runs, columns]."""
        work, levels = self.columns.work, self.levels
        cheapest = (self.columns.own + pays).min(axis=1)
        arrival = np.full((work.num_positions + 1, levels + 1), math.inf)
        arrival[0, 0] = 0.0
        around = np.full(len(work.starts), math.inf)
        missing = self.fewer[::-1]  # stages still to come after one more, by stages before
        for p, rows in enumerate(self.rows_from):
            for row in rows:
                q = work.ends[row]
                around[row] = (arrival[p] + completion[q, missing, 0]).min()
                reached = arrival[p] + cheapest[row]
                arrival[q, 1:] = np.minimum(arrival[q, 1:], reached[:-1])
                arrival[q, levels] = min(arrival[q, levels], reached[levels])
        return np.asarray(self.columns.own + pays + around[:, None])


@dataclass(frozen=True)
class PeerWalks(Walks):
    """Each stage gets its parameters from the node of the stage before."""

    @property
    def _hop_weight(self) -> float:
        return self.columns.work.problem.instance.objective.time_s

    @cached_property
    def _receiving(self) -> Floats:
        return np.asarray(self._hop_weight * self.columns.figures[ROW["in_s_per_bit"]])

    @cached_property
    def _sending(self) -> Floats:
        return np.asarray(self._hop_weight * self.columns.figures[ROW["out_s_per_bit"]])

    @cached_property
    def _own(self) -> Floats:
        """Own cost with the receiver's latency, shape [runs, columns]."""
        return np.asarray(self.columns.own + self._hop_weight * self.columns.figures[ROW["in_latency_s"]])

    @cached_property
    def _sending_latency(self) -> Floats:
        return np.asarray(self._hop_weight * self.columns.figures[ROW["out_latency_s"]])

    @cached_property
    def _least_in_latency_s(self) -> float:
        return float(self.columns.figures[ROW["in_latency_s"]].min())

    @cached_property
    def _has_extra(self) -> bool:
        return bool(self.columns.sender_extra.any())

    def _extra(self, rows: Ints) -> Floats:
        """What sending costs besides time, at least, shape [rows, columns]."""
        figures, bits = self.columns.figures, self.columns.work.bits_in[rows]
        seconds = figures[ROW["out_latency_s"]] + self._least_in_latency_s
        seconds = seconds + bits[:, None] * figures[ROW["out_s_per_bit"]]
        return np.asarray(self.columns.sender_extra * seconds)

    @cached_property
    def _faster_receivers(self) -> Ints:
        """Number of columns that receive at least as fast as each column sends, shape [columns]."""
        return np.searchsorted(self._receiving, self._sending, side="right")

    @cached_property
    def _sender_order(self) -> Ints:
        return np.argsort(self._sending, kind="stable")

    @cached_property
    def _faster_senders(self) -> Ints:
        """Number of columns that send at least as fast as each column receives, shape [columns]."""
        return np.searchsorted(self._sending[self._sender_order], self._receiving, side="right")

    def completion(self, pays: Floats, closing: Closing) -> Floats:
        """Shape [n + 1, K + 1, columns], by the last sender."""
        work, m = self.columns.work, self.columns.num_columns
        n = work.num_positions
        best = np.full((n + 1, self.levels + 1, m), math.inf)
        best[n, 0] = np.where(closing.ends, 0.0, math.inf)
        paid = self._own + pays
        for p in range(n - 1, 0, -1):
            rows = self.rows_from[p]
            if not len(rows):
                continue
            bits = work.bits_in[rows][:, None, None]
            low, high = self.levels_at(p)
            serve = paid[rows][:, None, :] + best[work.ends[rows][:, None], self.fewer[low : high + 1]]
            reach = _between(serve, bits, self._receiving, self._sending, self._faster_receivers)
            if self._has_extra:
                reach = reach + self._extra(rows)[:, None, :]
            best[p, low : high + 1] = reach.min(axis=0) + self._sending_latency
            best[p, :low] = best[p, low]
        return best

    def first_stages(self, rows: Ints, pays: Floats, closing: Closing) -> Floats:
        """Cost of the first stage, which gets its parameters from the closing class."""
        bits = self.columns.work.bits_in[rows][:, None]
        hop = bits * np.maximum(self._receiving, self._hop_weight * closing.s_per_bit)
        sending = self._hop_weight * closing.latency_s + closing.extra * (
            closing.latency_s + self._least_in_latency_s + bits * closing.s_per_bit
        )
        return np.asarray(self._own[rows] + pays + hop + sending)

    def next_stages(self, rows: Ints, sender: int, pays: Floats) -> Floats:
        """Cost of a stage after the sender."""
        bits = self.columns.work.bits_in[rows][:, None]
        hop = bits * np.maximum(self._receiving, self._sending[sender]) + self._sending_latency[sender]
        return np.asarray(self._own[rows] + pays + hop + self._extra(rows)[:, [sender]])

    def through(self, pays: Floats, closing: Closing, completion: Floats) -> Floats:
        """Cheapest walk through each pair, shape [runs, columns]."""
        work, m, levels = self.columns.work, self.columns.num_columns, self.levels
        arrival = np.full((work.num_positions + 1, levels + 1, m), math.inf)
        through = np.full((len(work.starts), m), math.inf)
        missing, paid = self.fewer[::-1], self._own + pays
        order = self._sender_order
        for p, rows in enumerate(self.rows_from):
            if not len(rows):
                continue
            done = self._stages_before(p, arrival)  # how many stages lie before, as far as it matters
            if p == 0:
                served = self.first_stages(rows, pays, closing)[:, None, :]
            else:
                bits = work.bits_in[rows][:, None, None]
                sent = np.broadcast_to(arrival[p, done] + self._sending_latency, (len(rows), len(done), m))
                if self._has_extra:
                    sent = sent + self._extra(rows)[:, None, :]
                into = _between(
                    sent[..., order], bits, self._sending[order], self._receiving, self._faster_senders
                )
                served = into + paid[rows][:, None, :]
            rest = completion[work.ends[rows][:, None], missing[done]]
            through[rows] = (served + rest).min(axis=1)
            after = np.minimum(done + 1, levels)
            for place, row in enumerate(rows):
                reached = arrival[work.ends[row]]
                for level, costs in zip(after, served[place], strict=True):
                    np.minimum(reached[level], costs, out=reached[level])
        return through

    def _stages_before(self, position: int, arrival: Floats) -> Ints:
        """Counts of stages before a position that matter; larger ones are merged into the last."""
        if position == 0:
            return np.zeros(1, dtype=np.int64)
        first = self._fewest_before[position]
        last = min(max(self.levels - self._fewest_after[position], first), self.levels)
        arrival[position, last] = arrival[position, last:].min(axis=0)
        return np.arange(min(first, last), last + 1)


def _between(values: Floats, bits: Floats, near: Floats, far: Floats, count: Ints) -> Floats:
    """Least of ``values + bits * max(near, far)`` over the near columns, for each far column.

    Parameters
    ----------
    values
        Shape [rows, levels, columns], the near columns sorted by `near`.
    bits
        Shape [rows, 1, 1].
    near, far
        Weighted seconds per bit, shape [columns].
    count
        Number of near columns that are at least as fast, by far column.
    """
    m = values.shape[-1]
    quick = np.minimum.accumulate(values, axis=-1)[..., np.maximum(count - 1, 0)] + bits * far
    quick[..., count == 0] = math.inf
    slow = np.minimum.accumulate((values + bits * near)[..., ::-1], axis=-1)[
        ..., m - 1 - np.minimum(count, m - 1)
    ]
    slow[..., count == m] = math.inf
    return np.minimum(quick, slow)
