"""Plans within a threshold: a beam search from the last layer to the first.

A partial plan is a chain from some cut to the end, of nodes used no more often than there are copies. It is
judged by its price so far and that of the cheapest chain, nodes free to serve again, in front of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.priced import Chain, Charges, Priced
from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.track import Track
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Bools, Floats, Ints
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.runs import relaxed

_Counts = npt.NDArray[np.int16]
_SHARE_OF_ONE_NODE = 4


@dataclass(frozen=True)
class Partial:
    """Partial plans that begin at one cut, as columns.

    Parameters
    ----------
    row
        Candidate of the first stage; -1 for the empty plan at the end.
    stages
        Number of stages.
    price
        Price so far.
    judged
        Price so far and of the cheapest chain in front.
    busy_s
        Time of the first stage and the link behind it.
    end
        End of the first stage.
    parent
        Position of the rest of the plan among the kept ones at `end`.
    """

    row: Ints
    stages: Ints
    price: Floats
    judged: Floats
    busy_s: Floats
    end: Ints
    parent: Ints

    @classmethod
    def empty(cls) -> Partial:
        """The one plan without stages."""
        none, zero = np.zeros(1, dtype=np.int64), np.zeros(1)
        return cls(none - 1, none, zero, zero, zero, none, none)

    @classmethod
    def joined(cls, partials: list[Partial]) -> Partial:
        """All of several."""
        return cls(
            *(np.concatenate([getattr(one, column.name) for one in partials]) for column in fields(cls))
        )

    def take(self, chosen: Ints) -> Partial:
        """Return some of them."""
        return Partial(*(getattr(self, column.name)[chosen] for column in fields(self)))


@dataclass
class Beam:
    """One beam search.

    Parameters
    ----------
    track
        Candidates within the threshold, real nodes all.
    charges
        Prices.
    ahead
        Cheapest chains at these prices.
    width
        Partial plans kept at each cut.
    """

    track: Track
    charges: Charges
    ahead: Priced
    width: int
    kept: dict[int, Partial] = field(default_factory=dict)
    used: dict[int, _Counts] = field(default_factory=dict)
    waiting: dict[int, list[Partial]] = field(default_factory=dict)

    def plans(self) -> list[Chain]:
        """Return chains of different nodes, the cheapest first."""
        n = len(self.ahead.ending) - 1
        self.waiting = {n: [Partial.empty()]}
        self.used = {0: np.zeros((1, len(self.charges.nodes)), dtype=np.int16)}
        for cut in range(n, 0, -1):
            if cut in self.waiting:
                self._keep(cut)
                self._extend(cut)
            self.track.clock.check()
        if 0 not in self.waiting:
            return []
        whole = Partial.joined(self.waiting[0])
        return [self._chain(whole, k) for k in np.argsort(whole.price, kind="stable").tolist()]

    def _keep(self, cut: int) -> None:
        """Keep the best at a cut, not all of them on the same node."""
        found = Partial.joined(self.waiting.pop(cut))
        order = np.argsort(found.judged, kind="stable")
        order = order[_rank_among_equals(found.row[order]) <= self.width // _SHARE_OF_ONE_NODE]
        kept = found.take(order[: self.width])
        used = np.stack([self.used[end][parent] for end, parent in zip(kept.end, kept.parent, strict=True)])
        if kept.row[0] >= 0:
            used[np.arange(len(used)), kept.row] += 1
        self.kept[cut], self.used[cut] = kept, used

    def _extend(self, cut: int) -> None:
        """Put every possible stage that ends at the cut in front of the partial plans there."""
        kept = self.kept[cut]
        first_starts = self._first_starts(cut, kept.stages + 1)
        first = int(first_starts.min(initial=cut))
        if first == cut:
            return
        free, link_s, link_price = self._links(cut)
        stage_prices = self.charges.of_stages(self.track, first, cut)
        computing = self.track.candidates.field.runs.compute_to(self.track.candidates.nodes, first, cut)
        for start in range(first, cut):
            fits = free & (first_starts <= start) & (start <= self.track.candidates.last_starts)
            busy_s = computing[start - first] + link_s
            if not self.track.is_overlapping:
                fits &= busy_s + self.track.shortest_before_s[start] <= relaxed(self.track.threshold_s)
            price = kept.price[:, None] + link_price + stage_prices[start - first]
            judged = np.where(fits, price + self.ahead.starting[start], np.inf)
            self._put(start, cut, price, judged, busy_s)

    def _put(self, start: int, cut: int, price: Floats, judged: Floats, busy_s: Floats) -> None:
        best = np.argpartition(judged, min(self.width, judged.size - 1), axis=None)[: self.width]
        best = best[np.isfinite(judged.flat[best])]
        if len(best):
            parent, row = np.divmod(best, judged.shape[1])
            stages, end = self.kept[cut].stages[parent] + 1, np.full(len(best), cut)
            found = Partial(
                row, stages, price[parent, row], judged.flat[best], busy_s[parent, row], end, parent
            )
            self.waiting.setdefault(start, []).append(found)

    def _links(self, cut: int) -> tuple[Bools, Floats, Floats]:
        """Which nodes may come before each partial plan, and time and price of the link, by plan and node."""
        kept, candidates = self.kept[cut], self.track.candidates
        free = self.used[cut] < candidates.nodes.copies
        if kept.row[0] < 0:
            return free, np.zeros((1, 1)), np.zeros((1, 1))
        num_bytes = candidates.field.runs.cut_bytes[cut]
        link_s = candidates.pairs.to(kept.row).seconds(num_bytes).T
        busy_s = link_s if self.track.is_overlapping else link_s + kept.busy_s[:, None]
        free &= busy_s <= relaxed(self.track.threshold_s)
        if self.charges.links is None:
            return free, link_s, np.zeros((1, 1))
        return free, link_s, self.charges.links.to(kept.row).seconds(num_bytes).T

    def _first_starts(self, cut: int, stages_to_end: Ints) -> Ints:
        """First start of a stage to the cut in front of each partial plan, shape [partial plan, node]."""
        runs, candidates = self.track.candidates.field.runs, self.track.candidates
        levels = np.minimum(stages_to_end, len(runs.levels)) - 1
        found, position = np.unique(levels, return_inverse=True)
        starts = [candidates.starts_within(self.track.threshold_s, cut, level) for level in found.tolist()]
        return np.stack(starts)[position]

    def _chain(self, whole: Partial, k: int) -> Chain:
        chain: Chain = []
        start, partial = 0, whole.take(np.array([k]))
        while True:
            end = int(partial.end[0])
            chain.append((start, end, int(partial.row[0])))
            if end == len(self.ahead.ending) - 1:
                return chain
            start, partial = end, self.kept[end].take(partial.parent)


def _rank_among_equals(values: Ints) -> Ints:
    """How many equal values stand before each."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    begins = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    lengths = np.diff(np.append(begins, len(values)))
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[order] = np.arange(len(values)) - np.repeat(begins, lengths)
    return ranks
