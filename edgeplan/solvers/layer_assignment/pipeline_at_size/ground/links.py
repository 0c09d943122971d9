"""Links between nodes given as columns: latency and seconds per byte, one way or both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Bools, Floats, Ints, NodeColumns
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.runs import relaxed


@dataclass(frozen=True)
class Pairs:
    """Seconds from each sender to each receiver are ``fixed_s + s_per_byte x bytes``."""

    fixed_s: Floats
    s_per_byte: Floats

    def __add__(self, other: Pairs) -> Pairs:
        return Pairs(self.fixed_s + other.fixed_s, self.s_per_byte + other.s_per_byte)

    def times(self, prices: Floats) -> Pairs:
        """The figures times a price for each pair."""
        with np.errstate(over="ignore", invalid="ignore"):
            return Pairs(self.fixed_s * prices, np.where(prices > 0, self.s_per_byte * prices, 0.0))

    def of(self, senders: int | npt.NDArray[np.integer[Any]]) -> Pairs:
        """The figures of one sender, or of some."""
        return Pairs(self.fixed_s[senders], self.s_per_byte[senders])

    def between(self, senders: npt.NDArray[np.int64], receivers: npt.NDArray[np.int64]) -> Pairs:
        """The figures of some pairs."""
        return Pairs(self.fixed_s[senders, receivers], self.s_per_byte[senders, receivers])

    def to(self, receivers: npt.NDArray[np.integer[Any]]) -> Pairs:
        """The figures to some receivers."""
        return Pairs(self.fixed_s[:, receivers], self.s_per_byte[:, receivers])

    def of_each(self, senders: npt.NDArray[np.int64], receivers: npt.NDArray[np.int64]) -> Pairs:
        """The figures from each of some senders to each of some receivers."""
        if len(receivers) == self.fixed_s.shape[1]:
            return self.of(senders)
        chosen = np.ix_(senders, receivers)
        return Pairs(self.fixed_s[chosen], self.s_per_byte[chosen])

    @cached_property
    def floors(self) -> tuple[Pairs, Pairs]:
        """A part for each sender and one for each receiver; no link is below their sum."""
        of_sender = Pairs(self.fixed_s.min(axis=1), self.s_per_byte.min(axis=1))
        with np.errstate(invalid="ignore"):
            left = Pairs(
                (self.fixed_s - of_sender.fixed_s[:, None]).min(axis=0),
                (self.s_per_byte - of_sender.s_per_byte[:, None]).min(axis=0),
            )
        return of_sender, Pairs(np.nan_to_num(left.fixed_s), np.nan_to_num(left.s_per_byte))

    @property
    def turned(self) -> Pairs:
        """The same seen from the receiver."""
        return Pairs(self.fixed_s.T, self.s_per_byte.T)

    def seconds(self, num_bytes: float) -> Floats:
        """Seconds for this many bytes; no bytes still take what is fixed."""
        if num_bytes == 0:
            return self.fixed_s
        with np.errstate(over="ignore"):
            return self.fixed_s + self.s_per_byte * num_bytes

    def most_bytes(self, threshold_s: float) -> Floats:
        """Most bytes within the threshold; negative where not even none are."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            left = relaxed(threshold_s) - self.fixed_s
            most = np.where(self.s_per_byte > 0, left / self.s_per_byte, np.inf)
        most[~(left >= 0)] = -1.0  # also where both are infinite
        return most


@dataclass(frozen=True)
class Links:
    """Links of one instance.

    Parameters
    ----------
    problem
        An instance with schedule pipeline.
    """

    problem: LayerAssignment

    @cached_property
    def explicit(self) -> tuple[Ints, Ints, Floats, Floats]:
        """Source, target, latency and seconds per byte of every link that the instance names."""
        network = self.problem.instance.network
        ends = [(network.index_of[link.source], network.index_of[link.target]) for link in network.links]
        sources, targets = np.array(ends, dtype=np.int64).reshape(-1, 2).T
        latency_s = np.array([link.latency_s for link in network.links], dtype=np.float64)
        rates = np.array([link.bit_per_s for link in network.links], dtype=np.float64)
        with np.errstate(over="ignore"):
            s_per_byte = np.where(np.isnan(rates), 0.0, 8.0 / rates)
        return sources, targets, latency_s, s_per_byte

    @cached_property
    def linked(self) -> Bools:
        """Which nodes of the instance an explicit link names."""
        flags = np.zeros(len(self.problem.instance.network.nodes), dtype=np.bool_)
        flags[self.explicit[0]] = flags[self.explicit[1]] = True
        return flags

    def one_way(self, senders: NodeColumns, receivers: NodeColumns) -> Pairs:
        """Figures of moving bytes from each sender to each receiver, shape [senders, receivers]."""
        fixed_s = senders.latency_s[:, None] + receivers.latency_s
        with np.errstate(over="ignore"):
            s_per_byte = 8.0 / np.minimum(senders.uplink[:, None], receivers.downlink)
        if len(self.explicit[0]):
            self._override(senders, receivers, fixed_s, s_per_byte)
        return Pairs(fixed_s, s_per_byte)

    def _override(
        self, senders: NodeColumns, receivers: NodeColumns, fixed_s: Floats, s_per_byte: Floats
    ) -> None:
        sources, targets, latency_s, of_link = self.explicit
        row, column = self._rows(senders)[sources], self._rows(receivers)[targets]
        both = (row >= 0) & (column >= 0)
        fixed_s[row[both], column[both]] = latency_s[both]
        s_per_byte[row[both], column[both]] = of_link[both]

    def _rows(self, nodes: NodeColumns) -> Ints:
        rows = np.full(len(self.linked), -1, dtype=np.int64)
        known = nodes.index >= 0
        rows[nodes.index[known]] = np.flatnonzero(known)
        return rows

    def back_and_forth(self, senders: NodeColumns, receivers: NodeColumns) -> Pairs:
        """Figures of the link time u: there and, with training, back."""  # (10)
        there = self.one_way(senders, receivers)
        if not self.problem.pipeline.is_training:
            return there
        return there + self.one_way(receivers, senders).turned
