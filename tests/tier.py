"""How many cases the random tests take: few at every commit, many by hand with EDGEPLAN_TIER=large."""

from __future__ import annotations

import os

import pytest

TIERS = ("commit", "large")
TIER = os.environ.get("EDGEPLAN_TIER", "commit")
LARGE_ONLY = pytest.mark.skipif(
    TIER != "large", reason="a run of many seconds, in the large tier: make test-large"
)
"""For long runs, of whose kind there is a shorter one in the commit's tier."""


def cases(*, commit: int, large: int) -> int:
    """Number of cases of a test in the tier that runs, see the table of reliability figures."""
    return large if TIER == "large" else commit


def chunks(size: int, *, commit: int, large: int) -> list[range]:
    """Seeds of the tier in chunks, so that a failure is near and processes share the work."""
    return [range(start, start + size) for start in range(0, cases(commit=commit, large=large), size)]
