"""Exhaustion: every route over the allowed steps, cut off only where no completion exists.

It confirms that an instance with windows has no plan, where the other second opinions are blind.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np

from edgeplan.solvers.layer_assignment.steps.arcs import Arcs, Route
from edgeplan.solvers.layer_assignment.steps.route import RouteCost

MAX_ROUTES = 300_000


def has_no_plan(arcs: Arcs, *, until: float = math.inf) -> bool | None:
    """Say whether every route breaks a limit; None if there are too many to tell.

    Parameters
    ----------
    until
        Monotonic time at which to give up.
    """
    cost = RouteCost(arcs)
    for count, route in enumerate(_routes(arcs, (), 0)):
        if count >= MAX_ROUTES or time.monotonic() > until:
            return None
        if route[-1][1] == arcs.table.num_positions and cost.value(route)[0] == 0:
            return False
    return True


def _routes(arcs: Arcs, route: Route, position: int) -> Iterator[Route]:
    """Yield every route and every beginning of one."""
    n = arcs.table.num_positions
    if route:
        yield route
    used = {column for _, _, column in route}
    for end in range(position + 1, n + 1):
        for column in np.flatnonzero(arcs.table.allowed[arcs.table.run(position, end)]):
            if int(column) not in used:
                yield from _routes(arcs, (*route, (position, end, int(column))), end)
