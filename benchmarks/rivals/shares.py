"""Layers shared out by weights: node k of a list gets the share w_k / sum(w) of the layers, in list order.

The plain rule knows no limits. Its repair is the one of practice: a node takes no more than it holds, what it
cannot take is shared out among the others by their weights, and a node that is left with less than half
a layer is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from benchmarks.rivals.split import Split

_ATTEMPTS = 12


class Room(Protocol):
    """How many layers there are, and which runs of them a node holds."""

    @property
    def num_positions(self) -> int:
        """Layers to share out."""

    def fits(self, node: int, stages_to_end: int, /) -> Any:
        """Return whether the node holds the run: [start][end]."""


def share_out(costs: Room, nodes: Sequence[int], weights: Sequence[float]) -> Split | None:
    """Split in proportion to the weights; None where the nodes do not hold the layers so.

    Parameters
    ----------
    costs
        The instance's figures.
    nodes
        Nodes in stage order.
    weights
        A positive weight for each.
    """
    wanted = [weight / sum(weights) * costs.num_positions for weight in weights]
    for _ in range(_ATTEMPTS):
        owned, full = _attempt(costs, nodes, wanted)
        missing = costs.num_positions - sum(owned)
        if missing == 0:
            return _without_idle(nodes, owned)
        room = sum(share for share, is_full in zip(wanted, full, strict=True) if not is_full)
        if room <= 0:
            return None
        grown = (room + missing) / room
        wanted = [
            float(own) if is_full else share * grown
            for share, own, is_full in zip(wanted, owned, full, strict=True)
        ]
    return None


def _attempt(costs: Room, nodes: Sequence[int], wanted: Sequence[float]) -> tuple[list[int], list[bool]]:
    """Give each node its share, rounded, or what it holds; say which nodes are full."""
    owned, full = [], []
    position, total = 0, 0.0
    for k, (node, share) in enumerate(zip(nodes, wanted, strict=True)):
        total += share
        end = min(max(round(total), position), costs.num_positions)
        held = _furthest(costs, node, position, end, len(nodes) - k)
        owned.append(held - position)
        full.append(held < end)
        total -= end - held
        position = held
    return owned, full


def _furthest(costs: Room, node: int, start: int, end: int, stages_to_end: int) -> int:
    """End of the longest run from `start`, at most to `end`, that the node holds."""
    if start == end:
        return start
    fits = costs.fits(node, stages_to_end)[start]
    while end > start and not fits[end]:
        end -= 1
    return end


def _without_idle(nodes: Sequence[int], owned: Sequence[int]) -> Split:
    used = [(node, own) for node, own in zip(nodes, owned, strict=True) if own]
    ends, position = [], 0
    for _, own in used:
        position += own
        ends.append(position)
    return Split(tuple(node for node, _ in used), tuple(ends))
