"""A necessary condition as the preflight's parts write it."""

from __future__ import annotations

from collections.abc import Sequence

from edgeplan.models.explanation import Condition
from edgeplan.models.faults import Path, to_pointer
from edgeplan.models.result import Figure


def condition(
    rule: str, paths: Sequence[Path], message: str, *, need: Figure, have: Figure, holds: bool
) -> Condition:
    """Build from paths instead of pointers."""
    pointers = tuple(to_pointer(path) for path in paths)
    return Condition(rule=rule, pointers=pointers, need=need, have=have, holds=holds, message=message)
