"""Pins and forbids as limits on where a node's run may begin and end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Bools, Ints, NodeColumns


@dataclass(frozen=True)
class Rules:
    """Who may own which run.  # (3)

    Parameters
    ----------
    problem
        An instance with schedule pipeline.
    """

    problem: LayerAssignment

    @cached_property
    def _position(self) -> dict[str, int]:
        return {layer.name: index for index, layer in enumerate(self.problem.instance.model.layers)}

    @cached_property
    def owner(self) -> dict[int, int]:
        """Pinned positions and the node that owns each."""
        node_of = self.problem.instance.network.index_of
        return {self._position[layer]: node_of[node] for layer, node in self.problem.instance.pin.items()}

    @cached_property
    def span(self) -> dict[int, tuple[int, int]]:
        """First and last position pinned to each node that has a pin."""
        spans: dict[int, tuple[int, int]] = {}
        for position, node in self.owner.items():
            first, last = spans.get(node, (position, position))
            spans[node] = min(first, position), max(last, position)
        return spans

    @cached_property
    def forbidden(self) -> dict[int, list[int]]:
        """Positions that each node with a forbid must not own."""
        node_of, positions = self.problem.instance.network.index_of, dict[int, list[int]]()
        for layer, node in self.problem.instance.forbid:
            positions.setdefault(node_of[node], []).append(self._position[layer])
        return positions

    @cached_property
    def pinned(self) -> Bools:
        """Which nodes of the instance have a pin."""
        return self._flags(self.span)

    @cached_property
    def forbidding(self) -> Bools:
        """Which nodes of the instance have a forbid."""
        return self._flags(self.forbidden)

    def _flags(self, nodes: Iterable[int]) -> Bools:
        flags = np.zeros(len(self.problem.instance.network.nodes), dtype=np.bool_)
        flags[list(nodes)] = True
        return flags

    @cached_property
    def forbidden_at(self) -> dict[int, Ints]:
        """Nodes that must not own each position with a forbid."""
        nodes: dict[int, list[int]] = {}
        for node, positions in self.forbidden.items():
            for position in positions:
                nodes.setdefault(position, []).append(node)
        return {position: np.array(found, dtype=np.int64) for position, found in nodes.items()}

    def last_ends(self, nodes: NodeColumns) -> Ints:
        """Last end of a run from each start that the rules allow, shape [start, node]."""
        n = len(self._position)
        walls = np.repeat(_next_of(n, self.owner)[:, None], len(nodes), axis=1)
        for row, node in self._rows(nodes):
            others = [position for position, owner in self.owner.items() if owner != node]
            walls[:, row] = _next_of(n, [*others, *self.forbidden.get(node, ())])
            if node in self.span:
                first = self.span[node][0]
                walls[first + 1 :, row] = np.arange(first + 1, n)
        return walls

    def first_ends(self, nodes: NodeColumns) -> Ints:
        """First end that a run of each node may have: behind its last pinned layer."""
        ends = np.zeros(len(nodes), dtype=np.int64)
        for row, node in self._rows(nodes):
            if node in self.span:
                ends[row] = self.span[node][1] + 1
        return ends

    def first_starts(self, nodes: NodeColumns) -> Ints:
        """First start of a run to each end that the rules allow, shape [end, node]."""
        n = len(self._position)
        walls = np.repeat(_behind(n, self.owner)[:, None], len(nodes), axis=1)
        for row, node in self._rows(nodes):
            others = [position for position, owner in self.owner.items() if owner != node]
            walls[:, row] = _behind(n, [*others, *self.forbidden.get(node, ())])
            if node in self.span:
                last = self.span[node][1]
                walls[: last + 1, row] = np.arange(last + 1)
        return walls

    def last_starts(self, nodes: NodeColumns) -> Ints:
        """Last start that a run of each node may have: at its first pinned layer."""
        starts = np.full(len(nodes), len(self._position), dtype=np.int64)
        for row, node in self._rows(nodes):
            if node in self.span:
                starts[row] = self.span[node][0]
        return starts

    def _rows(self, nodes: NodeColumns) -> list[tuple[int, int]]:
        named = np.array(sorted({*self.span, *self.forbidden}), dtype=np.int64)
        rows = np.flatnonzero(np.isin(nodes.index, named))
        return [(row, int(nodes.index[row])) for row in rows.tolist()]

    def allow(self, nodes: NodeColumns, start: int, end: int) -> Bools:
        """Which nodes may own one run."""
        inside = {owner for position, owner in self.owner.items() if start <= position < end}
        covered = [node for node, (first, last) in self.span.items() if start <= first and last < end]
        if inside:
            allowed = np.isin(nodes.index, [node for node in inside if inside == {node} and node in covered])
        else:
            allowed = ~np.isin(nodes.index, list(self.span))
        for position in range(start, end):
            if position in self.forbidden_at:
                allowed &= ~np.isin(nodes.index, self.forbidden_at[position])
        return allowed


def _next_of(n: int, positions: Iterable[int]) -> Ints:
    """The first of the positions from each start on, n if none is left."""
    walls = np.full(n, n, dtype=np.int64)
    for position in sorted(positions, reverse=True):
        walls[: position + 1] = position
    return walls


def _behind(n: int, positions: Iterable[int]) -> Ints:
    """Behind the last of the positions before each end, 0 if there is none."""
    walls = np.zeros(n + 1, dtype=np.int64)
    for position in sorted(positions):
        walls[position + 1 :] = position + 1
    return walls
