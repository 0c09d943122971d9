"""Assignments that differ in one move: a boundary, a node, two nodes, a place, a stage more or less."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

Assignment = tuple[tuple[int, int, str], ...]
"""Stages (first own layer, end, node) in order."""


def neighbours(assignment: Assignment, others: Sequence[str]) -> Iterator[Assignment]:
    """Yield the assignments one move away, small moves first.

    Parameters
    ----------
    assignment
        Stages that cover all layers.
    others
        Nodes that may come in.

    Examples
    --------
    >>> list(neighbours(((0, 2, "a"),), ["b"]))[:2]
    [((0, 2, 'b'),), ((0, 1, 'a'), (1, 2, 'b'))]
    """
    used = [node for _, _, node in assignment]
    unused = [node for node in others if node not in used]
    yield from _shifted(assignment)
    yield from _passed_on(assignment)
    yield from _replaced(assignment, unused)
    yield from _merged(assignment)
    yield from _split(assignment, unused)
    yield from _reordered(assignment, used)


def _shifted(assignment: Assignment) -> Iterator[Assignment]:
    """Move one boundary, by few layers first."""
    for k in range(len(assignment) - 1):
        (start, at, left), (_, end, right) = assignment[k], assignment[k + 1]
        for middle in sorted(range(start + 1, end), key=lambda middle: abs(middle - at)):
            if middle != at:
                yield (*assignment[:k], (start, middle, left), (middle, end, right), *assignment[k + 2 :])


def _passed_on(assignment: Assignment) -> Iterator[Assignment]:
    """Move several boundaries in a row by one layer, so that what a stage gives reaches a far one."""
    ends = [end for _, end, _ in assignment]
    for first, last in combinations(range(len(assignment) - 1), 2):
        for step in (1, -1):
            moved = [end + step * (first <= k <= last) for k, end in enumerate(ends)]
            starts = [0, *moved[:-1]]
            if all(start < end for start, end in zip(starts, moved, strict=True)):
                nodes = (node for _, _, node in assignment)
                yield tuple(zip(starts, moved, nodes, strict=True))


def _replaced(assignment: Assignment, unused: list[str]) -> Iterator[Assignment]:
    for k, (start, end, _) in enumerate(assignment):
        for node in unused:
            yield (*assignment[:k], (start, end, node), *assignment[k + 1 :])


def _merged(assignment: Assignment) -> Iterator[Assignment]:
    for k in range(len(assignment) - 1):
        (start, _, left), (_, end, right) = assignment[k], assignment[k + 1]
        for node in (left, right):
            yield (*assignment[:k], (start, end, node), *assignment[k + 2 :])


def _split(assignment: Assignment, unused: list[str]) -> Iterator[Assignment]:
    for k, (start, end, node) in enumerate(assignment):
        for middle in range(start + 1, end):
            for other in unused:
                for first, second in ((node, other), (other, node)):
                    halves = (start, middle, first), (middle, end, second)
                    yield (*assignment[:k], *halves, *assignment[k + 1 :])


def _reordered(assignment: Assignment, used: list[str]) -> Iterator[Assignment]:
    """Swap two nodes, or put one elsewhere in the order, runs staying in place."""
    for k, other in combinations(range(len(used)), 2):
        swapped = list(used)
        swapped[k], swapped[other] = swapped[other], swapped[k]
        yield _with_nodes(assignment, swapped)
    for k, node in enumerate(used):
        rest = used[:k] + used[k + 1 :]
        for place in range(len(used)):
            if abs(place - k) > 1:
                yield _with_nodes(assignment, [*rest[:place], node, *rest[place:]])


def _with_nodes(assignment: Assignment, nodes: list[str]) -> Assignment:
    return tuple((start, end, node) for (start, end, _), node in zip(assignment, nodes, strict=True))
