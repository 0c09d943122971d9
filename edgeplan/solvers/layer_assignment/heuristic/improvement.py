"""Improvement: descent over boundaries, nodes and the number of stages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from edgeplan.solvers.layer_assignment.steps.arcs import Route
from edgeplan.solvers.layer_assignment.steps.route import RouteCost, Value


@dataclass(frozen=True)
class LocalSearch:
    """Takes the first better neighbour until none is left.

    Parameters
    ----------
    cost
        Values routes.
    """

    cost: RouteCost

    def improve(self, route: Route, *, until: float) -> tuple[Value, Route]:
        """Descend from `route` to a local optimum.

        Parameters
        ----------
        until
            Monotonic time at which to end.
        """
        value = self.cost.value(route)
        improved = True
        while improved and time.monotonic() < until:
            improved = False
            for neighbour in self._neighbours(route):
                candidate = self.cost.value(neighbour)
                if candidate < value:
                    value, route, improved = candidate, neighbour, True
                    break
                if time.monotonic() > until:
                    break
        return value, route

    def _neighbours(self, route: Route) -> Iterator[Route]:
        used = {column for _, _, column in route}
        unused = [column for column in range(self.cost.arcs.num_nodes) if column not in used]
        yield from _shifted_boundaries(route)
        yield from _replaced_nodes(route, unused)
        yield from _swapped_nodes(route)
        yield from _moved_nodes(route)
        yield from _merged_stages(route)
        yield from _split_stages(route, unused)


def _with_columns(route: Route, columns: list[int]) -> Route:
    return tuple((start, end, column) for (start, end, _), column in zip(route, columns, strict=True))


def _shifted_boundaries(route: Route) -> Iterator[Route]:
    for k in range(len(route) - 1):
        (start, _, left), (_, end, right) = route[k], route[k + 1]
        for middle in range(start + 1, end):
            if middle != route[k][1]:
                yield (*route[:k], (start, middle, left), (middle, end, right), *route[k + 2 :])


def _replaced_nodes(route: Route, unused: list[int]) -> Iterator[Route]:
    for k, (start, end, _) in enumerate(route):
        for column in unused:
            yield (*route[:k], (start, end, column), *route[k + 1 :])


def _swapped_nodes(route: Route) -> Iterator[Route]:
    columns = [column for _, _, column in route]
    for k in range(len(columns)):
        for other in range(k + 1, len(columns)):
            swapped = list(columns)
            swapped[k], swapped[other] = swapped[other], swapped[k]
            yield _with_columns(route, swapped)


def _moved_nodes(route: Route) -> Iterator[Route]:
    """Take one node out and put it back elsewhere, runs staying in place."""
    columns = [column for _, _, column in route]
    for k in range(len(columns)):
        rest = columns[:k] + columns[k + 1 :]
        for place in range(len(columns)):
            if place != k:
                yield _with_columns(route, [*rest[:place], columns[k], *rest[place:]])


def _merged_stages(route: Route) -> Iterator[Route]:
    for k in range(len(route) - 1):
        (start, _, left), (_, end, right) = route[k], route[k + 1]
        for column in (left, right):
            yield (*route[:k], (start, end, column), *route[k + 2 :])


def _split_stages(route: Route, unused: list[int]) -> Iterator[Route]:
    for k, (start, end, column) in enumerate(route):
        for middle in range(start + 1, end):
            for other in unused:
                for first, second in ((column, other), (other, column)):
                    yield (*route[:k], (start, middle, first), (middle, end, second), *route[k + 1 :])
