"""Runs that lose participants: planned anew, they come to the bits that their slots have in one process."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kernel_emulation import require_kernel
from schedules_that_run import (
    BLOCKS,
    PLAIN,
    FinishedRun,
    cluster,
    device,
    entry,
    finished,
    plan,
    problem,
    two_clusters,
    uneven,
)
from tier import LARGE_ONLY

pytest.importorskip("torch")

import torch
from rich.console import Console

from benchmarks.replayed_slots import replayed
from edgeplan.api import replanned
from edgeplan.errors import RunError
from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.runtime.emulation.modes import KERNEL
from edgeplan.runtime.pipeline import Job, Planner, render, resume
from edgeplan.runtime.pipeline.course import Leg
from edgeplan.runtime.pipeline.recovery import without_lost
from edgeplan.runtime.pipeline.remainder import remainder, rest_of
from edgeplan.runtime.processes.rehearsal import faults_of
from edgeplan.runtime.processes.supervision import Lost, NodesLostError

SETTINGS = replace(PLAIN, patience_s=5.0)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Make sums come out bit for bit as in the workers, which have one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def with_a_spare() -> SegmentScheduling:
    """A device more than the plan has, in the first of two clusters."""
    return problem(cluster("c0", device("d0"), device("d1"), device("d3")), cluster("c1", device("d2")))


def on_what_is_left(given: SegmentScheduling, _: SegmentPlan) -> SegmentPlan | None:
    """Blocks one by one on the devices of a cluster, the last device with all others; None without d0."""
    entries = []
    for one in given.instance.clusters:
        names = [device.id for device in one.devices]
        if one.id == "c0" and "d0" not in names:
            return None
        stages = [(name, BLOCKS[index : index + 1]) for index, name in enumerate(names)]
        stages[-1] = (names[-1], BLOCKS[len(names) - 1 :])
        entries.append(entry(one.id, 3, *stages))
    return plan(*([entries] * given.instance.control.slots))


def rehearsed(folder: Path, *faults: str, planner: Planner = on_what_is_left, **changed: Any) -> FinishedRun:
    settings = replace(SETTINGS, faults=faults_of(faults), **changed)
    return finished(folder, with_a_spare(), uneven(), settings, planner)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """The server dies while it averages; in the next slot a device dies, and the other's control unit."""
    faults = ("server of c0:1:aggregate:kill", "d1:2:compute:kill", "c1:2:send:kill")
    return rehearsed(tmp_path_factory.mktemp("killed"), *faults)


@pytest.fixture(scope="module")
def hung(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """A device never begins, without which its cluster has no plan; then one of the other cluster hangs."""
    given = problem(cluster("c0", device("d0"), device("d1")), cluster("c1", device("d2"), device("d3")))
    pipelines = (("d0", BLOCKS[:2]), ("d1", BLOCKS[2:])), (("d2", BLOCKS[:1]), ("d3", BLOCKS[1:]))
    slot = [entry("c0", 3, *pipelines[0]), entry("c1", 2, *pipelines[1])]
    settings = replace(SETTINGS, faults=faults_of(["d0:1:start-up:kill", "d3:2:send:hang"]))
    folder = tmp_path_factory.mktemp("hung")
    return finished(folder, given, plan(slot, slot), settings, on_what_is_left)


RUNS = pytest.mark.parametrize("name", ["killed", "hung"])


def lost_slots(run: FinishedRun) -> dict[str, int | None]:
    return {one["node"]: one["round"] for one in run.report["lost"]}


def pipelines(run: FinishedRun, slot: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for stage in run.report["stages"]:
        if stage["round"] == slot:
            found.setdefault(stage["cluster"], []).append(stage["node"])
    return found


@RUNS
def test_the_parameters_are_those_of_the_slots_as_they_were_made_in_the_end(
    name: str, request: pytest.FixtureRequest
) -> None:
    run: FinishedRun = request.getfixturevalue(name)
    assert run.report["passed"], run.report["failures"]
    assert torch.equal(run.parameters(), replayed(run.job))


def test_the_slots_that_are_left_follow_a_new_plan(killed: FinishedRun) -> None:
    assert lost_slots(killed) == {"server of c0": 1, "d1": 2, "c1": 2}
    assert pipelines(killed, 1) == {"c0": ["d0", "d1"], "c1": ["d2"]}
    assert pipelines(killed, 2) == {"c0": ["d0", "d3"]}


def test_a_cluster_without_a_plan_rests_and_the_others_go_on(hung: FinishedRun) -> None:
    assert lost_slots(hung) == {"d0": 1, "d3": 2}
    assert hung.report["lost"][1]["reason"] == "was silent for 5 s"
    assert [pipelines(hung, slot) for slot in (1, 2)] == [{"c1": ["d2", "d3"]}, {"c1": ["d2"]}]


@RUNS
def test_bytes_are_those_of_the_plan_that_made_the_slot(name: str, request: pytest.FixtureRequest) -> None:
    report = request.getfixturevalue(name).report
    for told in report["rounds"]:
        assert told["bytes_moved"] == sum(hop["predicted_bytes"] for hop in told["hops"])
    assert report["totals"]["bytes_equal"]


def test_the_report_says_who_was_lost_and_how_it_went_on(killed: FinishedRun) -> None:
    assert json.loads((killed.job.folder / "run.json").read_text()) == killed.report
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(render(killed.report))
    text = console.export_text()
    assert "d1 (lost)" in text
    assert "server of c0 was killed by signal 9 (aggregate, slot 1); on from slot 1 by c0: d0 > d1" in text
    assert "c1 was killed by signal 9 (send, slot 2); on from slot 2 by c0: d0 > d3" in text
    assert "c1 took no part any more: the others are averaged, by their samples" in text


@LARGE_ONLY
def test_a_participant_that_loses_its_link_is_lost(tmp_path: Path) -> None:
    require_kernel()
    run = rehearsed(tmp_path, "d0:1:receive:unlink", planner=replanned, emulation=KERNEL, slower=1.0)
    assert lost_slots(run) == {"d0": 1}
    assert "d0" not in pipelines(run, 1)["c0"]
    assert torch.equal(run.parameters(), replayed(run.job))


def test_a_resumed_run_makes_anew_what_some_have_not_kept(killed: FinishedRun, tmp_path: Path) -> None:
    shutil.copytree(killed.job.folder, tmp_path, dirs_exist_ok=True)
    server = [one.name for one in killed.job.everybody].index("server of c0")
    for name in ("run.json", "parameters.npy", f"state-{server}-2.npz"):
        (tmp_path / name).unlink()
    report = resume(tmp_path)
    assert report["passed"], report["failures"]
    assert report["lost"] == killed.report["lost"]
    resumed = FinishedRun(Job.read(tmp_path / "job.json"), report)
    assert torch.equal(resumed.parameters(), killed.parameters())


def error_of(job: Job, *names: str) -> NodesLostError:
    ranks = [rank for rank, one in enumerate(job.cast) if one.name in names]
    return NodesLostError(
        f"{names[0]} was killed", {rank: Lost("was killed", "send, slot 1") for rank in ranks}
    )


def job_of(folder: Path) -> Job:
    job = Job(SETTINGS, 2, folder, (Leg(two_clusters(), uneven()),))
    job.write()
    return job


def test_a_run_of_which_no_plan_is_left_ends(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    with pytest.raises(RunError, match=r"^c0 was killed\nno plan .* is left without c0, c1$"):
        without_lost(job, error_of(job, "c0", "c1"), on_what_is_left)
    assert Job.read(job.path).legs == job.legs


def test_a_server_that_is_lost_again_and_again_ends_the_run(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    again = without_lost(job, error_of(job, "server of c0"), on_what_is_left)
    assert again.leg.plan == job.leg.plan
    with pytest.raises(RunError, match="it was lost twice before another slot was done"):
        without_lost(again, error_of(again, "server of c0"), on_what_is_left)


def test_a_loss_after_the_last_slot_leaves_nothing_to_plan(tmp_path: Path) -> None:
    job = replace(job_of(tmp_path), num_slots=0)
    left = without_lost(job, error_of(job, "c1"), lambda _problem, _plan: None)
    assert [one.name for one in left.cast] == ["c0", "server of c0"]
    assert left.slots == ()


def test_slots_that_are_left_cost_what_they_did() -> None:
    given = two_clusters(optimizer_bytes=0)
    document = given.to_document()
    document["control"]["noise_budget"] = 0.05
    document["clusters"][0]["devices"][0]["energy_budget_j"] = 1e-3
    given = SegmentScheduling.from_document(document)
    whole = given.costs(uneven())
    assert whole[0].queues.energy_j["d0"] > 0 < whole[0].queues.noise
    rest = rest_of(Leg(given, uneven()), 1, 1)
    assert rest.problem.costs(rest.plan) == whole[1:]
    assert (rest.since, rest.plan.slots) == (1, uneven().slots[1:])


def test_the_budget_of_noise_is_raised_where_fewer_clusters_cannot_keep_it() -> None:
    document = two_clusters().to_document()
    document["control"]["noise_budget"] = least = 1 / (2 * 2 * 8)
    given = SegmentScheduling.from_document(document)
    assert remainder(given, uneven(), 0, 2, {"d1"}).instance.control.noise_budget == least
    assert remainder(given, uneven(), 0, 2, {"c1"}).instance.control.noise_budget == 2 * least


def test_a_leg_is_read_as_it_was_written() -> None:
    leg = rest_of(Leg(two_clusters(), uneven(), slower=2.0), 1, 1)
    assert Leg.from_document(json.loads(json.dumps(leg.to_document())), SegmentScheduling) == leg
