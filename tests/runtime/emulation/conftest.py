"""Tests of what only root on Linux can make are skipped elsewhere, with the reason."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from edgeplan.errors import RunError
from edgeplan.runtime.emulation.modes import KERNEL, chosen_mode


@pytest.fixture(scope="session")
def kernel_mode() -> str:
    """The kernel's emulation, where it can be had."""
    try:
        return chosen_mode(KERNEL)
    except RunError as error:
        pytest.skip(str(error))
