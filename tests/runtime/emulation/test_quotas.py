from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("torch")

from kernel_emulation import require_kernel

from edgeplan.errors import RunError, UsageError
from edgeplan.runtime.emulation import quotas
from edgeplan.runtime.emulation.holding import held, slower_for
from edgeplan.runtime.emulation.ownership import name_of
from edgeplan.runtime.emulation.pace import MACHINE, Held, Pace
from edgeplan.runtime.emulation.quotas import ControlGroup, control_groups, quota_and_period
from edgeplan.runtime.processes.stopwatch import Spent


def group(folder: Path, *files: str) -> ControlGroup:
    for name in files:
        (folder / name).write_text("")
    return ControlGroup(folder)


def test_a_share_is_written_as_the_first_version_wants_it(tmp_path: Path) -> None:
    first = group(tmp_path, "cpu.cfs_quota_us", "cpu.cfs_period_us")
    first.set_share(0.25)
    assert (tmp_path / "cpu.cfs_quota_us").read_text() == "5000"
    assert (tmp_path / "cpu.cfs_period_us").read_text() == "20000"
    first.set_share(None)
    assert (tmp_path / "cpu.cfs_quota_us").read_text() == "-1"


def test_a_share_is_written_as_the_second_version_wants_it(tmp_path: Path) -> None:
    second = group(tmp_path, "cpu.max")
    second.set_share(0.25)
    assert (tmp_path / "cpu.max").read_text() == "5000 20000"
    second.set_share(None)
    assert (tmp_path / "cpu.max").read_text().split()[0] == "max"


@pytest.mark.parametrize("share", [0.001, 0.0123, 0.25, 0.7, 1.0])
def test_quotas_are_their_share_of_the_period(share: float) -> None:
    quota, period = quota_and_period(share)
    assert quota / period == pytest.approx(share, rel=1e-3)
    assert quota >= 1000
    assert period <= 1_000_000


def test_a_share_too_small_for_the_kernel_is_refused() -> None:
    with pytest.raises(RunError, match=r"the least is 0\.001"):
        quota_and_period(0.0005)


def test_the_controller_is_found_in_either_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "ROOT", tmp_path)
    assert quotas.controller() is None
    (tmp_path / "cgroup.subtree_control").write_text("memory")
    assert quotas.controller() is None
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory")
    assert quotas.controller() == tmp_path
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1")
    assert quotas.controller() == tmp_path / "cpu"


def test_without_a_controller_groups_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "ROOT", tmp_path)
    with pytest.raises(RunError, match="no controller of the processor"), control_groups(["one"]):
        pass


def test_what_is_left_in_a_group_ends_with_it() -> None:
    require_kernel()
    with control_groups([name_of("test")]) as (made,):
        process = subprocess.Popen(["sleep", "1000"])
        (made.folder / "cgroup.procs").write_text(str(process.pid))
        assert made.processes == [process.pid]
    assert process.wait() == -9
    assert not made.folder.exists()


def test_a_process_that_edgeplan_did_not_start_has_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(quotas.GROUP, raising=False)
    with pytest.raises(UsageError, match="prepare it with emulation none"):
        quotas.own_group()


@pytest.mark.parametrize("coldness", [1.0, 1.5])
def test_the_quota_follows_from_processor_time_under_it(coldness: float, tmp_path: Path) -> None:
    asked: list[float] = []

    def time_step(pace: Pace) -> Spent:
        assert isinstance(pace, Held)
        asked.append(pace.share)
        return Spent(0.1 * coldness / pace.share, 0.1 * coldness)

    holding = held(ControlGroup(tmp_path), time_step, free=Spent(0.1, 0.1), wanted_s=0.4)
    assert asked[0] == pytest.approx(0.25)
    assert holding.share == pytest.approx(0.25 * coldness)
    assert holding.step_s == pytest.approx(0.4)


@pytest.mark.parametrize("slow_s", [0.13, 0.9])  # the second is more than a whole processor has
def test_a_quota_found_while_the_machine_was_slow_is_tried_again(tmp_path: Path, slow_s: float) -> None:
    times = iter([slow_s, 0.1, 0.1])

    def time_step(pace: Pace) -> Spent:
        assert isinstance(pace, Held)
        processor_s = next(times)
        return Spent(processor_s / pace.share, processor_s)

    holding = held(ControlGroup(tmp_path), time_step, free=Spent(0.12, 0.12), wanted_s=0.4)
    assert holding.share == pytest.approx(0.25)
    assert holding.step_s == pytest.approx(0.4)


def test_a_quota_that_never_bears_out_is_the_one_whose_time_is_told(tmp_path: Path) -> None:
    asked: list[float] = []

    def time_step(pace: Pace) -> Spent:
        assert isinstance(pace, Held)
        asked.append(pace.share)
        processor_s = 0.1 * (1 + len(asked) % 2)  # once fast, once slow
        return Spent(processor_s / pace.share, processor_s)

    holding = held(ControlGroup(tmp_path), time_step, free=Spent(0.1, 0.1), wanted_s=0.4)
    assert len(asked) == 6
    assert holding.share == asked[-1]
    assert holding.step_s == pytest.approx(0.1 / asked[-1])


@pytest.mark.parametrize(("free_s", "share"), [(0.1, 0.35), (0.5, None)])
def test_nodes_that_wait_for_each_other_make_as_many_trials(
    tmp_path: Path, free_s: float, share: float | None
) -> None:
    times = iter([0.14, 0.12, 0.16])

    def time_step(pace: Pace) -> Spent:
        assert isinstance(pace, Held) == (share is not None)
        processor_s = next(times)
        return Spent(4 * processor_s, processor_s)

    free = Spent(free_s, free_s)
    holding = held(ControlGroup(tmp_path), time_step, free=free, wanted_s=0.4, together=True)
    assert next(times, None) is None
    assert holding.share == pytest.approx(share)
    assert holding.step_s == pytest.approx(0.64)


def test_a_node_faster_than_this_machine_is_not_held(tmp_path: Path) -> None:
    holding = held(ControlGroup(tmp_path), lambda _: Spent(0.1, 0.1), free=Spent(0.1, 0.1), wanted_s=0.05)
    assert holding.pace is MACHINE
    assert holding.share is None
    assert holding.to_document(2.0) == {"share": None, "wanted_s": 0.025, "step_s": 0.05}


def test_a_run_is_slowed_until_its_devices_fit_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert slower_for([0.4, 0.5]) == 1.0
    assert slower_for([1.8] * 4) == pytest.approx(7.2 / 0.9)
    assert slower_for([9.0]) == pytest.approx(10.0)
