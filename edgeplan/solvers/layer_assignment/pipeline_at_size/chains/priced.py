"""The cheapest chain within a threshold, where stages, runs and links have prices.

From the first layer to the last, for every end and every node of the last stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.track import Track
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.links import Pairs
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Floats, Ints

Chain = list[tuple[int, int, int]]
"""Stages as (start, end, row of the candidate)."""
_FIRST_TRIED = 24


@dataclass(frozen=True)
class Charges:
    """What a chain pays.

    Parameters
    ----------
    nodes
        Price of a stage on each candidate; may be negative.
    runs
        Price of each run on any node, shape [start, end].
    seconds
        Price of a second of computing on each candidate.
    links
        Price of the link between each pair, as a function of its bytes.
    """

    nodes: Floats
    runs: Floats | None = None
    seconds: Floats | None = None
    links: Pairs | None = None

    def of_stages(self, track: Track, first: int, end: int) -> Floats:
        """Price of the stages from each start from `first` on to `end`, shape [start, node]."""
        prices = np.zeros((end - first, len(self.nodes))) + self.nodes
        if self.runs is not None:
            prices += self.runs[first:end, end, None]
        if self.seconds is not None:
            computing = track.candidates.field.runs.compute_to(track.candidates.nodes, first, end)
            with np.errstate(over="ignore", invalid="ignore"):
                prices += np.where(self.seconds > 0, computing * self.seconds, 0.0)
        return prices

    def of_chain(self, track: Track, chain: Chain) -> float:
        """Price of a chain."""
        total = 0.0
        for start, end, row in chain:
            total += float(self.of_stages(track, start, end)[0, row])
        if self.links is not None:
            for (_, cut, row), (_, _, follower) in pairwise(chain):
                num_bytes = float(track.candidates.field.runs.cut_bytes[cut])
                total += float(self.links.of(row).seconds(num_bytes)[follower])
        return total


@dataclass(frozen=True)
class Priced:
    """Cheapest chains from the first layer on.

    Parameters
    ----------
    ending
        Price of the cheapest chain up to each end whose last stage each node serves, shape [end, node].
    starting
        The same up to each start and with the link to the node, without the node's own stage.
    start_of, sender_of
        Where those chains come from.
    """

    ending: Floats
    starting: Floats
    start_of: npt.NDArray[np.int16]
    sender_of: npt.NDArray[np.int32]

    @property
    def price(self) -> float:
        """Price of the cheapest whole chain; inf if there is none."""
        return float(self.ending[-1].min(initial=np.inf))

    def chain(self) -> Chain:
        """The cheapest whole chain."""
        end, row = len(self.ending) - 1, int(self.ending[-1].argmin())
        chain: Chain = []
        while True:
            start = int(self.start_of[end, row])
            chain.append((start, end, row))
            if start == 0:
                return chain[::-1]
            end, row = start, int(self.sender_of[start, row])


def cheapest(track: Track, charges: Charges) -> Priced:
    """Find the cheapest chains."""
    n, num_nodes = track.candidates.field.runs.num_layers, len(charges.nodes)
    ending, starting = np.full((n + 1, num_nodes), np.inf), np.full((n + 1, num_nodes), np.inf)
    start_of = np.zeros((n + 1, num_nodes), dtype=np.int16)
    sender_of = np.zeros((n + 1, num_nodes), dtype=np.int32)
    starting[0] = 0.0
    columns = np.arange(num_nodes)
    for end in range(1, n + 1):
        first = int(track.first_starts[end].min(initial=end))
        if first < end and track.stages_behind[end] <= n:
            prices = np.where(track.may_begin(first, end), starting[first:end], np.inf)
            prices += charges.of_stages(track, first, end)
            choice = prices.argmin(axis=0)
            ending[end], start_of[end] = prices[choice, columns], first + choice
        if end < n and np.isfinite(ending[end]).any():
            if charges.links is None:
                starting[end], sender_of[end] = _cheapest_sender(track, end, ending[end])
            else:
                starting[end], sender_of[end] = _cheapest_link(track, end, ending[end], charges.links)
        track.clock.check()
    return Priced(ending, starting, start_of, sender_of)


def _cheapest_sender(track: Track, cut: int, prices: Floats) -> tuple[Floats, Ints]:
    """For each node the cheapest one that can send to it over the cut, and its price."""
    num_bytes, most_bytes = track.candidates.field.runs.cut_bytes[cut], track.most_bytes
    found, sender = np.full(len(prices), np.inf), np.zeros(len(prices), dtype=np.int64)
    finite = np.flatnonzero(np.isfinite(prices))
    order = finite[np.argsort(prices[finite], kind="stable")]
    left, begin, size = np.arange(len(prices)), 0, _FIRST_TRIED
    while begin < len(order) and len(left):
        tried = order[begin : begin + size]
        links = most_bytes[tried] if len(left) == len(prices) else most_bytes[np.ix_(tried, left)]
        meets = num_bytes <= links
        best = meets.argmax(axis=0)
        met = meets[best, np.arange(len(left))]
        found[left[met]], sender[left[met]] = prices[tried[best[met]]], tried[best[met]]
        left, begin, size = left[~met], begin + size, 4 * size
    return found, sender


def _cheapest_link(track: Track, cut: int, prices: Floats, links: Pairs) -> tuple[Floats, Ints]:
    """The same where the link has a price of its own, which is never negative."""
    num_bytes = track.candidates.field.runs.cut_bytes[cut]
    found, sender = np.full(len(prices), np.inf), np.zeros(len(prices), dtype=np.int64)
    of_sender, of_receiver = (floor.seconds(num_bytes) for floor in links.floors)
    finite = np.flatnonzero(np.isfinite(prices))
    order = finite[np.argsort((prices + of_sender)[finite], kind="stable")]
    left, begin, size = np.arange(len(prices)), 0, _FIRST_TRIED
    while begin < len(order):
        tried = order[begin : begin + size]
        left = left[prices[tried[0]] + of_sender[tried[0]] + of_receiver[left] < found[left]]
        if not len(left):
            break
        total = links.of_each(tried, left).seconds(num_bytes) + prices[tried, None]
        total[num_bytes > track.most_bytes[np.ix_(tried, left)]] = np.inf
        best = total.argmin(axis=0)
        least = total[best, np.arange(len(left))]
        better = least < found[left]
        found[left[better]], sender[left[better]] = least[better], tried[best[better]]
        begin, size = begin + size, 2 * size
    return found, sender
