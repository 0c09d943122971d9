from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from edgeplan.errors import RunError
from edgeplan.runtime.processes.supervision import Crew, NodesLostError, supervise


def crew(folder: Path, program: str = "leaving", *, goes_on: bool = True) -> Crew:
    names = ("node needing", "node cut off")
    return Crew(program, folder / "job.json", names, threads=1, goes_on=goes_on, patience_s=3.0)


@pytest.mark.parametrize("leaving", ["one", "both"])
def test_of_processes_that_leave_while_nobody_is_missing_the_first_is_lost(
    leaving: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAVING", leaving)
    with pytest.raises(
        NodesLostError, match=r"node cut off \(rank 1\) left, and nobody else is missing"
    ) as told:
        supervise(crew(tmp_path))
    assert {rank: lost.doing for rank, lost in told.value.lost.items()} == {1: "work"}


def test_where_the_run_cannot_go_on_a_process_that_leaves_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAVING", "one")
    with pytest.raises(RunError, match=r"node cut off \(rank 1\) ended with exit code 75"):
        supervise(crew(tmp_path, goes_on=False))


def test_a_process_that_failed_by_itself_and_hangs_has_failed_and_is_not_lost(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"(?s)^node cut off \(rank 1\) failed:.*KeyError: 'head'$") as told:
        supervise(crew(tmp_path, "failing"))
    assert not isinstance(told.value, NodesLostError)


def test_one_that_may_be_lost_is_lost_also_when_it_failed_and_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILING", "alone")
    (tmp_path / "run.json").write_text("{}")
    assert supervise(replace(crew(tmp_path, "failing"), may_be_lost=frozenset({1}))) == {}
