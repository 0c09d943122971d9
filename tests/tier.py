"""How many cases the random tests take: few at every commit, many by hand with EDGEPLAN_TIER=large."""

from __future__ import annotations

import os

TIERS = ("commit", "large")
TIER = os.environ.get("EDGEPLAN_TIER", "commit")


def cases(*, commit: int, large: int) -> int:
    """Number of cases of a test in the tier that runs, see the table of reliability figures."""
    return large if TIER == "large" else commit


def chunks(size: int, *, commit: int, large: int) -> list[range]:
    """Seeds of the tier in chunks, so that a failure is near and processes share the work."""
    return [range(start, start + size) for start in range(0, cases(commit=commit, large=large), size)]
