"""A change of one limit: how to make it, how large it is, how to say it."""

from __future__ import annotations

from typing import Any

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Figure
from edgeplan.solvers.layer_assignment.infeasible.named_limits import NamedLimit, without
from edgeplan.solvers.units import bytes_text, enough_text

_RELATIVE, _ABSOLUTE = 1e-6, 1e-8  # beyond the tolerance within which limits in floats hold


def with_limit_at(problem: LayerAssignment, limit: NamedLimit, value: Figure) -> LayerAssignment:
    """Return the instance with one limit set to a value; None drops it."""
    if value is None:
        return without(problem, [limit])
    document = problem.to_document()
    home: Any = document
    for part in limit.path[:-1]:
        home = home[part]
    home[limit.path[-1]] = value
    return LayerAssignment.from_document(document)


def clearly_smaller(limit: NamedLimit, change_to: float) -> float | None:
    """Return a change that is smaller by one, or by a millionth; None where that is no change at all."""
    upwards = change_to > limit.have
    if isinstance(change_to, int) and isinstance(limit.have, int):
        count = change_to - 1 if upwards else change_to + 1
        return None if count == limit.have else count
    step = _RELATIVE * abs(change_to) + _ABSOLUTE
    smaller = change_to - step if upwards else change_to + step
    return smaller if (smaller > limit.have) == upwards else None


def share_of_change(have: Figure, change_to: Figure) -> float:
    """Return the size of a change relative to the value; 1 for a limit that is dropped.

    Examples
    --------
    >>> share_of_change(10, 12), share_of_change("p", None)
    (0.2, 1.0)
    """
    if not isinstance(have, int | float) or not isinstance(change_to, int | float):
        return 1.0
    return abs(change_to - have) / max(abs(have), 1e-9)


def in_words(limit: NamedLimit, change_to: Figure) -> str:
    """Say a change as advice."""
    if not isinstance(change_to, int | float):
        return f"drop this limit: {limit.text}"
    if limit.measure == "memory":
        more = bytes_text(change_to - limit.have)
        return f"{limit.text}: with {change_to:,} ({more} more) there is a plan"
    unit = {"time_s": "s", "energy_j": "J"}.get(limit.measure or "", "")
    return f"{limit.text}: with {enough_text(change_to, unit)} there is a plan"
