"""Nodes that die or hang in the middle of a run: it goes on, and nothing that was handed on is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from snake_instances import OWN, SHARED, Finished, plan, problem, training
from tier import TIER
from torch import nn
from torch.nn import functional

from edgeplan.api import replanned
from edgeplan.errors import RunError, UsageError
from edgeplan.runtime.data.shards import sample_order
from edgeplan.runtime.emulation.modes import KERNEL
from edgeplan.runtime.learning.checkpoints import keep, place_kept, recall
from edgeplan.runtime.processes.heartbeat import START_UP
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.rehearsal import CHECKPOINT, COMPUTE, HANG, KILL, RECEIVE, SEND, Fault
from edgeplan.runtime.processes.supervision import NodesLostError
from edgeplan.runtime.profiling import build
from edgeplan.runtime.snake import Job, RunSettings, prepare, resume, run
from edgeplan.runtime.snake.catching_up import Standing
from edgeplan.runtime.snake.course import BEGINNING, Leg, Position, visits_made
from edgeplan.runtime.snake.device.node import NodeProcess
from edgeplan.runtime.snake.recovery import planned_for
from edgeplan.runtime.snake.slowing import slowed
from edgeplan.runtime.snake.wire import rounds_counted

NODES = ("node-0", "node-1", "node-2")
PHASES = (START_UP, RECEIVE, COMPUTE, CHECKPOINT, SEND)
EVERY = [(node, phase) for node in NODES for phase in PHASES]
SOME = [
    ("node-0", START_UP),
    ("node-2", RECEIVE),
    ("node-0", CHECKPOINT),
    ("node-2", SEND),
]
SETTINGS = RunSettings(rounds=2, emulation="none", spares=1)
STAGES = plan(*((name,) for name in OWN))


def _problem(**members: Any) -> Any:
    return problem(num_nodes=4, shared_layers=list(SHARED), training=training(), **members)


def _replayed(job: Job) -> list[float]:
    """Make the visits of the run's course again, one after another on one copy of the network."""
    instance = job.problem.instance
    section, module = instance.training, build(instance.model.name, seed=job.settings.seed)
    for position, leg in visits_made(job.legs, Position(job.settings.rounds + 1, 0)):
        stage = leg.plan.stages[position.stage]
        samples = job.read_samples(job.holders.index(stage.node))
        module.requires_grad_(False)
        names = {*stage.layers, *(instance.shared_layers if instance.train_shared else ())}
        trained = [p for name in names for p in module.get_submodule(name).requires_grad_(True).parameters()]
        _train(module, trained, samples, job, job.holders.index(stage.node), position.round - 1, section)
    return torch.cat([p.detach().reshape(-1) for p in module.parameters()]).tolist()


def _train(
    module: nn.Module,
    trained: list[nn.Parameter],
    samples: Any,
    job: Job,
    seat: int,
    visit: int,
    section: Any,
) -> None:
    optimizer = torch.optim.SGD(trained, lr=0.02, momentum=0.9, fused=True)
    count = section.batch_size * section.local_steps
    order = sample_order(job.settings.seed, seat, len(samples.targets), visit * count, count)
    for some in np.split(order, section.local_steps):
        pixels = torch.from_numpy(samples.inputs[some]).float() / samples.white
        loss = functional.cross_entropy(module(pixels), torch.from_numpy(samples.targets[some]).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _parameters(folder: Path) -> list[float]:
    return np.load(folder / "parameters.npy", allow_pickle=False).tolist()


def _struck(folder: Path, fault: Fault, **settings: Any) -> tuple[Job, dict[str, Any]]:
    """Run with a fault, and check what must hold after any."""
    given = replace(SETTINGS, faults=(fault,), **settings)
    report = run(_problem(), STAGES, given, out=folder, planner=replanned)
    job = Job.read(folder / "job.json")
    assert report["passed"]
    assert job.away == (fault.node,)
    assert _parameters(folder) == _replayed(job)
    later = [leg for position, leg in visits_made(job.legs, Position(3, 0)) if position >= job.legs[-1].first]
    assert all(
        stage.node != fault.node for leg in later for stage in leg.plan.stages[job.legs[-1].first.stage :]
    )
    return job, report


@pytest.mark.parametrize(("node", "phase"), EVERY if TIER == "large" else SOME)
def test_a_killed_node_is_replaced_and_the_parameters_are_those_of_the_visits_that_were_made(
    node: str, phase: str, tmp_path: Path
) -> None:
    _, report = _struck(tmp_path, Fault(node, 2, phase, KILL))
    assert list(report["incidents"][0]["nodes"]) == [node]


def test_what_was_handed_on_is_not_done_again(tmp_path: Path) -> None:
    job, report = _struck(tmp_path, Fault("node-1", 2, COMPUTE, KILL))
    assert report["incidents"][0]["next_visit"] == {"round": 2, "stage": 1}
    assert job.legs[-1].first == Position(2, 1)
    assert [stage.node for stage in job.plan.stages[:1]] == ["node-0"]
    assert [entry["interrupted"] for entry in report["rounds"]] == [False, True]
    made = [position for position, _ in visits_made(job.legs, Position(3, 0))]
    assert len(made) == len(set(made))


def test_a_node_that_hangs_is_missed_and_replaced(tmp_path: Path) -> None:
    _, report = _struck(tmp_path, Fault("node-0", 1, RECEIVE, HANG), patience_s=8.0)
    assert "was silent for 8 s (receive, round 1)" in report["incidents"][0]["nodes"]["node-0"]


def test_a_round_ends_early_where_nobody_can_take_the_rest_of_it(tmp_path: Path) -> None:
    job, report = _struck(tmp_path, Fault("node-2", 1, COMPUTE, KILL), spares=0)
    assert [leg.first for leg in job.legs] == [BEGINNING, Position(2, 0)]
    assert job.legs[0].end == Position(1, 2)
    assert [len(entry["timeline"]) for entry in report["rounds"]] == [2, len(job.plan.stages)]
    assert [entry["interrupted"] for entry in report["rounds"]] == [True, False]


def test_a_server_is_started_again(by_server: Finished, tmp_path: Path) -> None:
    settings = replace(by_server.job.settings, emulation="none", faults=(Fault("hub", 2, CHECKPOINT, KILL),))
    report = run(by_server.job.problem, by_server.job.plan, settings, out=tmp_path, planner=replanned)
    assert report["passed"]
    assert list(report["incidents"][0]["nodes"]) == ["hub"]
    assert _parameters(tmp_path) == _parameters(by_server.job.folder)


def test_a_run_that_was_interrupted_resumes_where_it_stood(tmp_path: Path) -> None:
    def interrupt(_progress: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    settings = replace(SETTINGS, rounds=4)
    with pytest.raises(KeyboardInterrupt):
        run(_problem(), STAGES, settings, out=tmp_path, on_progress=interrupt)
    stood = Position(*max(place_kept(tmp_path, seat) or () for seat in range(3)))
    assert Position(2, 0) <= stood < Position(5, 0)
    assert resume(tmp_path)["passed"]
    job = Job.read(tmp_path / "job.json")
    assert _parameters(tmp_path) == _replayed(job)
    with pytest.raises(UsageError, match="has come to its end"):
        resume(tmp_path)


def test_a_run_that_is_resumed_in_its_middle_counts_nothing_on_the_wire(by_peers: Finished) -> None:
    job = replace(by_peers.job, settings=replace(by_peers.job.settings, emulation=KERNEL))
    node = NodeProcess.of(job, 0)
    with rounds_counted(node, Position(1, 1)):
        pass
    assert all(event["event"] != "wired" for event in node.events)


def test_without_a_plan_for_the_nodes_left_the_run_ends_and_says_so(tmp_path: Path) -> None:
    given = _problem(limits={"min_nodes": 3})
    settings = replace(SETTINGS, spares=0, faults=(Fault("node-1", 1, COMPUTE, KILL),))
    with pytest.raises(
        RunError,
        match=r"(?s)node-1 .*killed by signal 9.*no plan within .* is left for 2 nodes.*--resume",
    ):
        run(given, STAGES, settings, out=tmp_path, planner=replanned)
    assert place_kept(tmp_path, 0) == Position(1, 1)


def test_without_a_planner_a_loss_ends_the_run(tmp_path: Path) -> None:
    settings = replace(SETTINGS, faults=(Fault("node-1", 1, COMPUTE, KILL),))
    with pytest.raises(NodesLostError, match=r"node node-1 \(rank 1\) was killed by signal 9"):
        run(_problem(), STAGES, settings, out=tmp_path)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault("nobody", 1, COMPUTE, KILL), "'nobody' takes no part in the run; name one of node-0"),
        (Fault("node-0", 1, "aggregate", KILL), "node-0 has no phase aggregate"),
        (Fault("node-0", 1, COMPUTE, "unlink"), "unlink needs --emulation kernel"),
    ],
)
def test_a_fault_that_could_never_strike_is_refused(fault: Fault, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        run(_problem(), STAGES, replace(SETTINGS, faults=(fault,)), out=tmp_path)


def test_more_spares_than_idle_nodes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="spares 3: the plan leaves 2 nodes idle"):
        prepare(_problem(), STAGES, replace(SETTINGS, spares=3), out=tmp_path)


def test_a_folder_without_a_serial_run_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no job\.json"):
        resume(tmp_path)
    (tmp_path / "job.json").write_text('{"kind": "sparse_run_job"}', encoding="utf-8")
    with pytest.raises(UsageError, match="its run is of another kind"):
        resume(tmp_path)


def test_a_checkpoint_gives_back_every_bit_and_its_place(tmp_path: Path) -> None:
    job = prepare(_problem(), STAGES, SETTINGS, out=tmp_path)
    workload, other = job.seeded_workload(), job.seeded_workload()
    with torch.no_grad():
        for parameter in workload.module.parameters():
            parameter.add_(1.0)
    keep(workload, Position(2, 1), tmp_path, 0)
    assert recall(other, tmp_path, 0) == Position(2, 1)
    for one, two in zip(workload.module.parameters(), other.module.parameters(), strict=True):
        assert torch.equal(one, two)
    assert place_kept(tmp_path, 1) is None


def test_a_checkpoint_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "state-0.npz").write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(RunError, match=r"state-0\.npz: is no checkpoint"):
        place_kept(tmp_path, 0)


def test_a_line_that_was_begun_when_its_writer_was_killed_is_no_event(tmp_path: Path) -> None:
    path = tmp_path / "events-0.jsonl"
    path.write_text('{"event": "trained", "round": 1}\n{"event": "tra', encoding="utf-8")
    assert list(Journal(path)) == [{"event": "trained", "round": 1}]


def test_each_rank_lacks_the_layers_that_others_trained_since_it_kept_its_own(tmp_path: Path) -> None:
    job = prepare(_problem(), STAGES, SETTINGS, out=tmp_path)
    anew = plan(OWN[:2], OWN[2:])
    job = replace(job, legs=(Leg(job.plan, end=Position(1, 2)), Leg(anew, Position(2, 0))))
    standing = Standing(job, (Position(1, 1), Position(1, 2)))
    assert (standing.start, standing.holder) == (Position(2, 0), 1)
    assert standing.lacks(0) == (OWN[1],)  # its own from now on, and trained by node-1 since
    assert standing.lacks(1) == ()


def test_the_planner_is_asked_with_the_visited_stages_fixed(tmp_path: Path) -> None:
    job = replace(prepare(_problem(), STAGES, SETTINGS, out=tmp_path), away=("node-1",))
    found = planned_for(job, 1, replanned)
    assert found is not None
    assert found.stages[0] == STAGES.stages[0]
    assert {stage.node for stage in found.stages[1:]} <= {"node-2", "node-3"}
    assert not job.problem.check(found).violations


def test_a_fault_strikes_a_node_and_not_the_trial_that_is_made_for_its_run(tmp_path: Path) -> None:
    job = prepare(
        _problem(), STAGES, replace(SETTINGS, faults=(Fault("node-0", 1, START_UP, KILL),)), out=tmp_path
    )
    tried = slowed(replace(job, settings=replace(job.settings, emulation=KERNEL)))
    assert tried.slower >= 1.0
