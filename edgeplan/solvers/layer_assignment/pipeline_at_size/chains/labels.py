"""Every chain that could become a plan: label setting from the last layer to the first.

A label is a chain from a cut to the end, with the copies of scarce nodes that it uses as bits. Prices cut it
off where it and the cheapest chain in front of it cost more than any plan may. A label that is no dearer than
another one with the same first node and number of stages, and uses no other copies, makes that one
superfluous.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.counts import Counts
from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.priced import Chain, Priced
from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.track import Track
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Bools, Floats, Ints
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.runs import relaxed

Words = npt.NDArray[np.uint64]

_WORD = 64
_GROUP = 256


class TooManyLabelsError(Exception):
    """There are more labels than were asked for."""


@dataclass(frozen=True)
class Copies:
    """Copies of scarce candidates as bits: a candidate used k times has its first k bits set.

    Parameters
    ----------
    first_bit
        First bit of each candidate.
    number
        Copies of each candidate; 0 for one that is not scarce and may serve again and again.
    """

    first_bit: Ints
    number: Ints

    @classmethod
    def of(cls, number: Ints) -> Copies:
        """Give each copy a bit."""
        return cls(np.concatenate([[0], np.cumsum(number)[:-1]]).astype(np.int64), number)

    @property
    def num_words(self) -> int:
        """Words that hold all bits."""
        return max(1, -(-int(self.number.sum()) // _WORD))

    def is_free(self, used: Words, rows: Ints) -> Bools:
        """Whether candidates have a copy left, shape [label, candidate]."""
        last = self.first_bit[rows] + self.number[rows] - 1
        last = np.clip(last, 0, used.shape[1] * _WORD - 1)
        bits = used[:, last // _WORD] >> (last % _WORD).astype(np.uint64)
        return np.asarray((bits & np.uint64(1) == 0) | (self.number[rows] == 0))

    def taken(self, used: Words, row: Ints) -> Words:
        """Use one more copy of a candidate in each label."""
        used = used.copy()
        number, begin = self.number[row], self.first_bit[row]
        waiting = number > 0
        for copy in range(int(number.max(initial=0))):
            bit = np.minimum(begin + copy, used.shape[1] * _WORD - 1)
            word, mask = bit // _WORD, np.uint64(1) << (bit % _WORD).astype(np.uint64)
            lines = np.arange(len(used))
            is_next = waiting & (copy < number) & (used[lines, word] & mask == 0)
            used[lines[is_next], word[is_next]] |= mask[is_next]
            waiting &= ~is_next
        return used


@dataclass(frozen=True)
class Labels:
    """Labels that begin at one cut, as columns.

    Parameters
    ----------
    row
        Candidate of the first stage; -1 for the empty chain.
    state
        State of the number of stages, 0 for none.
    price
        Price of the chain.
    busy_s
        Time of the first stage and the link behind it; 0 where transfers overlap with computing.
    used
        Bits of the copies used.
    end
        End of the first stage.
    parent
        Position of the rest of the chain among the labels at `end`.
    """

    row: Ints
    state: Ints
    price: Floats
    busy_s: Floats
    used: Words
    end: Ints
    parent: Ints

    @classmethod
    def joined(cls, labels: list[Labels]) -> Labels:
        """All of several."""
        return cls(*(np.concatenate([getattr(one, column.name) for one in labels]) for column in fields(cls)))

    def take(self, chosen: Ints) -> Labels:
        """Return some of them."""
        return Labels(*(getattr(self, column.name)[chosen] for column in fields(self)))


@dataclass
class LabelSetting:
    """One enumeration within a threshold.

    Parameters
    ----------
    track
        Candidates within the threshold.
    counts
        States of the number of stages.
    prices
        Price of a stage on each candidate.
    ahead
        Cheapest chains at these prices.
    owed
        What a plan pays at most.
    copies
        Copies of scarce candidates.
    most
        Labels of one cut beyond which to give up.
    """

    track: Track
    counts: Counts
    prices: Floats
    ahead: Priced
    owed: float
    copies: Copies
    most: int
    kept: dict[int, Labels] = field(default_factory=dict)
    waiting: dict[int, list[Labels]] = field(default_factory=dict)

    def chains(self, *, at_most: int) -> list[Chain]:
        """Return chains that keep every rule but that candidates not scarce may serve again.

        Raises
        ------
        TooManyLabelsError
            When it gives up; otherwise there is no plan where there is no chain.
        """
        n = len(self.ahead.ending) - 1
        none = np.zeros(1, dtype=np.int64)
        used = np.zeros((1, self.copies.num_words), dtype=np.uint64)
        self.waiting = {n: [Labels(none - 1, none, np.zeros(1), np.zeros(1), used, none, none)]}
        for cut in range(n, 0, -1):
            if cut in self.waiting:
                self.kept[cut] = _undominated(Labels.joined(self.waiting.pop(cut)))
                self._extend(cut)
            self.track.clock.check()
        if 0 not in self.waiting:
            return []
        whole = Labels.joined(self.waiting[0])
        enough = np.flatnonzero(whole.state >= self.counts.fewest)
        cheapest_first = enough[np.argsort(whole.price[enough], kind="stable")]
        return [self._chain(whole.take(np.array([k]))) for k in cheapest_first[:at_most]]

    def _extend(self, cut: int) -> None:
        labels = self.kept[cut]
        if len(labels.row) > self.most:
            raise TooManyLabelsError
        state = np.minimum(labels.state + 1, self.counts.most)
        room = self.owed - float(labels.price.min())
        firsts = self._first_starts(cut, state)
        for start in range(int(min(first.min() for first in firsts.values())), cut):
            needed = self.prices + self.ahead.starting[start]
            rows = np.flatnonzero((needed <= room) & (start <= self.track.candidates.last_starts))
            for level, first_starts in firsts.items():
                lines = np.flatnonzero(self.counts.levels[state - 1] == level)
                columns = rows[first_starts[rows] <= start]
                if len(lines) and len(columns):
                    busy_s, fits = self._busy_s(start, cut, lines, columns)
                    fits &= self.copies.is_free(labels.used[lines], columns)
                    fits &= labels.price[lines, None] + needed[columns] <= self.owed
                    parent, row = np.nonzero(fits)
                    if len(row):
                        self._put(start, cut, state, lines[parent], columns[row], busy_s[parent, row])

    def _put(self, start: int, cut: int, state: Ints, parent: Ints, row: Ints, busy_s: Floats) -> None:
        labels = self.kept[cut]
        used = self.copies.taken(labels.used[parent], row)
        price = labels.price[parent] + self.prices[row]
        found = Labels(row, state[parent], price, busy_s, used, np.full(len(row), cut), parent)
        waiting = self.waiting.setdefault(start, [])
        waiting.append(found)
        if start > 0 and sum(len(one.row) for one in waiting) > 4 * self.most:
            fewer = _undominated(Labels.joined(waiting))
            if len(fewer.row) > self.most:
                raise TooManyLabelsError
            self.waiting[start] = [fewer]

    def _busy_s(self, start: int, cut: int, lines: Ints, rows: Ints) -> tuple[Floats, Bools]:
        """Time of new first stages and their links, and whether they keep the threshold."""
        labels, candidates = self.kept[cut], self.track.candidates
        fits = np.ones((len(lines), len(rows)), dtype=np.bool_)
        if not self.counts.is_open:
            fits &= (labels.state[lines] < self.counts.most)[:, None]
        busy_s = np.zeros((len(lines), len(rows)))
        if labels.row[0] >= 0:
            senders, receivers = rows[None, :], labels.row[lines, None]
            num_bytes = candidates.field.runs.cut_bytes[cut]
            fits &= num_bytes <= self.track.most_bytes[senders, receivers]
            if not self.track.is_overlapping:
                busy_s += candidates.pairs.between(senders, receivers).seconds(num_bytes)
                fits &= busy_s + labels.busy_s[lines, None] <= relaxed(self.track.threshold_s)
        if not self.track.is_overlapping:
            busy_s += candidates.field.runs.compute_s(candidates.nodes.take(rows), start, cut)
            before_s = self.track.shortest_before_s[start, rows]
            fits &= busy_s + before_s <= relaxed(self.track.threshold_s)
        return busy_s, fits

    def _first_starts(self, cut: int, state: Ints) -> dict[int, Ints]:
        """First start of a stage to the cut on each candidate, by memory level."""
        candidates, threshold_s = self.track.candidates, self.track.threshold_s
        levels = np.unique(self.counts.levels[state - 1]).tolist()
        return {level: candidates.starts_within(threshold_s, cut, level) for level in levels}

    def _chain(self, label: Labels) -> Chain:
        chain: Chain = []
        start = 0
        while True:
            end = int(label.end[0])
            chain.append((start, end, int(label.row[0])))
            if end == len(self.ahead.ending) - 1:
                return chain
            start, label = end, self.kept[end].take(label.parent)


def _undominated(labels: Labels) -> Labels:
    """Leave out labels that another one makes superfluous, most of them at least."""
    labels = labels.take(np.lexsort((labels.price, labels.state, labels.row)))
    group = np.stack([labels.row, labels.state])
    begins = np.flatnonzero(np.append(True, (group[:, 1:] != group[:, :-1]).any(axis=0)))
    kept: list[Ints] = []
    for begin, end in zip(begins.tolist(), [*begins[1:].tolist(), len(labels.row)], strict=True):
        left, found = np.arange(begin, end), np.zeros(0, dtype=np.int64)
        while len(left):  # cheapest first, so that no label is superfluous for a later one
            own, left = left[:_GROUP], left[_GROUP:]
            own = own[~_superfluous(labels.take(own), labels.take(own), earlier=True)]
            left = left[~_superfluous(labels.take(left), labels.take(own))]
            found = np.concatenate([found, own])
        kept.append(found)
    return labels.take(np.concatenate(kept))


def _superfluous(labels: Labels, by: Labels, *, earlier: bool = False) -> Bools:
    """Which labels use and take all that one of the others does, or an earlier one of them."""
    shape = (len(labels.row), len(by.row))
    covers = np.tri(*shape, k=-1, dtype=np.bool_) if earlier else np.ones(shape, dtype=np.bool_)
    covers &= by.busy_s <= labels.busy_s[:, None]
    for word in range(labels.used.shape[1]):
        covers &= (by.used[:, word] & ~labels.used[:, word, None]) == 0
    return np.asarray(covers.any(axis=1))
