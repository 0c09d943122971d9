"""A node's memory: told to the byte before the rounds, and kept by the system while it trains."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

from edgeplan.errors import RunError
from edgeplan.runtime.processes import status
from edgeplan.runtime.processes.budget import ALLOWANCE_BYTES, MemoryBudget
from edgeplan.runtime.processes.status import data_bytes, process_peak_bytes

needs_status = pytest.mark.skipif(
    not status.STATUS_FILE.is_file(), reason="only Linux tells its data segment"
)


def test_a_step_may_take_the_memory_without_its_reserve_and_no_byte_more() -> None:
    budget = MemoryBudget(1000, reserve_bytes=100)
    budget.check(900)
    with pytest.raises(
        RunError, match=r"^a step takes 901 bytes, memory_bytes 1000 leaves 900 for it; plan "
    ):
        budget.check(901)


def test_without_a_limit_anything_goes() -> None:
    unlimited = MemoryBudget(None)
    unlimited.check(10**18)
    with unlimited.kept():
        torch.zeros(ALLOWANCE_BYTES)


@needs_status
def test_a_tensor_beyond_budget_and_allowance_ends_with_a_message() -> None:
    with (
        pytest.raises(
            RunError, match=r"^training tried to allocate 268435456 bytes beyond memory_bytes 1000 "
        ),
        MemoryBudget(1000).kept(),
    ):
        torch.zeros(ALLOWANCE_BYTES)


@needs_status
def test_what_python_itself_cannot_allocate_ends_with_a_message() -> None:
    with (
        pytest.raises(RunError, match=r"^training tried to allocate memory beyond memory_bytes 1000 "),
        MemoryBudget(1000).kept(),
    ):
        bytearray(4 * ALLOWANCE_BYTES)


@needs_status
def test_the_limit_ends_with_what_it_was_for() -> None:
    with MemoryBudget(1000).kept():
        pass
    assert torch.zeros(ALLOWANCE_BYTES).nbytes == 4 * ALLOWANCE_BYTES


def test_a_larger_budget_holds_a_larger_tensor() -> None:
    with MemoryBudget(4 * ALLOWANCE_BYTES).kept():
        torch.zeros(ALLOWANCE_BYTES)


def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="planted"), MemoryBudget(1000).kept():
        raise RuntimeError("planted")


def test_where_the_system_does_not_tell_nothing_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "STATUS_FILE", tmp_path / "none")
    assert data_bytes() is None
    assert process_peak_bytes() is None
    with MemoryBudget(1000).kept():
        torch.zeros(ALLOWANCE_BYTES)
