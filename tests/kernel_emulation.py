"""Tests of what only root on Linux can make are skipped elsewhere, with the reason."""

from __future__ import annotations

from functools import cache

import pytest

pytest.importorskip("torch")

from edgeplan.errors import RunError
from edgeplan.runtime.emulation.modes import KERNEL, chosen_mode


@cache
def _refusal() -> str | None:
    try:
        chosen_mode(KERNEL)
    except RunError as error:
        return str(error)
    return None


def require_kernel() -> None:
    """Skip the test where the kernel's emulation cannot be had."""
    refusal = _refusal()
    if refusal is not None:
        pytest.skip(refusal)
