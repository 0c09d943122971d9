"""The tier of the run, and seeded property tests."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from tier import TIER, TIERS, cases

collect_ignore_glob = ["*conftest.py"]  # no doctests in there, and one name cannot be imported twice

settings.register_profile(
    "edgeplan",
    max_examples=cases(commit=200, large=1_000),
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
settings.load_profile("edgeplan")


def pytest_configure() -> None:
    if TIER not in TIERS:
        raise pytest.UsageError(f"EDGEPLAN_TIER: {TIER!r}: must be one of {', '.join(TIERS)}")


def pytest_report_header() -> str:
    return f"edgeplan tier: {TIER}"
