"""A finished run for all; and one thread: on a busy machine two that wait for each other are much slower."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("torch")

from sparse_runs import PLAIN, FinishedRun, canonical_plan, finished, problem

from edgeplan.runtime.profiling.trial import threads_limited


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with threads_limited(1):
        yield


@pytest.fixture(scope="session")
def canonical(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Canonical collectives as messages, and dense data parallelism after it."""
    return finished(tmp_path_factory.mktemp("canonical"), problem(), canonical_plan(), PLAIN)
