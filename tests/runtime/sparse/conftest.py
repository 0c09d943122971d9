"""One thread: on a busy machine two that wait for each other are many times slower."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("torch")

from edgeplan.runtime.profiling.trial import threads_limited


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with threads_limited(1):
        yield
