"""What a run of sparse_update refuses before any process starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sparse_runs import PLAIN, canonical_plan, device_plans, document, problem, tiny_starts
from tiny_workloads import tiny_workload

pytest.importorskip("torch")

import edgeplan as ep
from edgeplan.errors import InvalidInputError, RunError, UsageError
from edgeplan.models.sparse_update import SparsePlan
from edgeplan.models.sparse_update.plan_cost import PlanCost
from edgeplan.runtime.processes.rehearsal import faults_of
from edgeplan.runtime.sparse.execution import Job, RunSettings, prepare
from edgeplan.runtime.sparse.execution.device.process import refuse_different
from edgeplan.runtime.sparse.execution.job import links_of
from edgeplan.runtime.sparse.execution.phases import dense_cost


def prepared(
    folder: Path, settings: RunSettings = PLAIN, notes: dict[str, Any] | None = None, **members: Any
) -> Job:
    with tiny_starts():
        given = document() if notes is None else notes
        return prepare(problem(**members), canonical_plan(), given, settings, out=folder)


def test_a_job_is_read_as_it_was_written(tmp_path: Path) -> None:
    job = prepared(tmp_path / "new" / "folder")
    read = Job.read(job.path)
    assert (read.problem, read.plan, read.settings) == (job.problem, job.plan, job.settings)
    assert read.workload.path == tiny_workload().path
    assert read.same_start
    assert [phase.name for phase in read.phases] == ["plan", "dense"]


def test_what_an_earlier_run_left_is_not_taken_for_this_one_s(tmp_path: Path) -> None:
    for name in ("run.json", "progress.json", "failure-0.json", "events-2.json"):
        (tmp_path / name).write_text("{}")
    prepared(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["job.json"]


def test_an_instance_that_does_not_say_what_is_trained_is_refused(tmp_path: Path) -> None:
    refused = r"/x-workload: is missing: must say what is trained; make the instance by edgeplan instance"
    with pytest.raises(UsageError, match=refused):
        prepared(tmp_path / "run", notes={})
    with pytest.raises(UsageError, match=refused):
        ep.run(problem(), canonical_plan(), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_faults_of_the_note_are_told_with_their_place(tmp_path: Path) -> None:
    notes = {"x-workload": document()["x-workload"] | {"width": -1}}
    with pytest.raises(InvalidInputError, match="/x-workload/width"):
        prepared(tmp_path, notes=notes)


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({"rounds": 0}, "rounds 0: must be at least 1"),
        ({"local_steps": 0}, "local_steps 0: must be at least 1"),
        ({"seed": -1}, "seed -1: must be at least 0"),
        ({"timeout_s": 0.0}, "timeout_s 0.0: must be above 0"),
        ({"patience_s": 0.0}, "patience_s 0.0: must be above 0"),
        (
            {"faults": faults_of(["pi-1:1:compute:kill"])},
            "'pi-1' takes no part in the run; name one of device-0",
        ),
        (
            {"faults": faults_of(["device-1:1:send:kill"])},
            "device-1 has no phase send; use start-up, compute",
        ),
        ({"faults": faults_of(["device-1:1:compute:unlink"])}, "unlink needs --emulation kernel"),
        ({"collectives": "nccl"}, "collectives 'nccl': must be emulated or gloo"),
        ({"baseline": "fedavg"}, "baseline 'fedavg': must be dense or none"),
    ],
)
def test_settings_out_of_range_are_refused(tmp_path: Path, settings: dict[str, Any], refused: str) -> None:
    with pytest.raises(UsageError, match=refused):
        prepared(tmp_path, replace(PLAIN, **settings))


def changed_layers(index: int, **figures: Any) -> list[dict[str, Any]]:
    layers = [dict(layer) for layer in document()["layers"]]
    layers[index] |= figures
    return layers


def test_an_instance_of_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"/layers/5/bias_parameters: 7: the network has"):
        prepared(tmp_path, layers=changed_layers(5, bias_parameters=7))
    with pytest.raises(UsageError, match=r"/layers/1/name: other: the network has mobilenet_v2"):
        prepared(tmp_path, layers=changed_layers(1, name="other"))
    options = [option | {"parameters": 10**6} for option in document()["layers"][0]["options"]]
    with pytest.raises(UsageError, match=r"/layers/0/options/0/parameters: 1000000: the network has"):
        prepared(tmp_path, layers=changed_layers(0, options=options))


def test_a_plan_that_breaks_a_rule_is_refused(tmp_path: Path) -> None:
    devices = [device | {"memory_bytes": 1000} for device in document()["devices"]]
    with pytest.raises(UsageError, match=r"/devices/0/memory_bytes: .*and 2 more.*without violations"):
        prepared(tmp_path, devices=devices)


def test_bytes_of_another_type_and_other_devices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="/training/gradient_bytes: 2: must be 4"):
        prepared(tmp_path, training=document()["training"] | {"gradient_bytes": 2})
    notes = document() | {"x-workload": document()["x-workload"] | {"num_devices": 4}}
    with pytest.raises(UsageError, match="/x-workload/num_devices: 4: must be the number of devices, 3"):
        prepared(tmp_path, notes=notes)


def test_a_start_of_another_machine_is_noticed_and_not_refused(tmp_path: Path) -> None:
    assert not prepared(tmp_path, notes=document() | {"x-start-sha256": "0" * 64}).same_start


def test_a_plan_of_another_problem_is_refused(tmp_path: Path) -> None:
    plan: Any = ep.Plan.from_document({"stages": []})
    with pytest.raises(UsageError, match="plan: Plan: must be a plan of sparse_update"):
        ep.run(problem(), plan, notes=document(), out=tmp_path)


def test_there_is_no_dense_baseline_where_depth_is_limited(tmp_path: Path) -> None:
    depths = [*document()["depth_contribution"]]
    depths[10] = None
    assert dense_cost(problem(depth_contribution=depths).instance) is not None
    depths[-1] = None
    given = problem(depth_contribution=depths)
    assert dense_cost(given.instance) is None
    shallow = {"devices": [device | {"depth": 20, "updates": []} for device in device_plans()]}
    with tiny_starts():
        job = prepare(given, SparsePlan.from_document(shallow), document(), PLAIN, out=tmp_path)
    assert [phase.name for phase in job.phases] == ["plan"]


def test_dense_figures_are_those_of_the_problem() -> None:
    given = problem()
    cost = dense_cost(given.instance)
    assert isinstance(cost, PlanCost)
    fused = given.metrics(canonical_plan())["dense"]["fused"]
    assert cost.aggregation.seconds == pytest.approx(fused["aggregation_s"])
    assert cost.aggregation.bytes_moved == fused["bytes_moved"]


def test_replicas_that_differ_end_the_run_with_their_names() -> None:
    names = ("pi-0", "pi-1", "pi-2")
    refuse_different([b"same"] * 3, names, "plan, round 1")
    with pytest.raises(RunError, match="plan, round 1: the replica of pi-1, pi-2 is not that of pi-0"):
        refuse_different([b"one", b"other", b"other"], names, "plan, round 1")


def test_links_are_those_of_the_instance() -> None:
    assert links_of(problem().instance).between(0, 1).transfer_s(10**6) == pytest.approx(1e-4 + 8e6 / 1e9)
    nodes = [
        {
            "id": f"device-{d}",
            "flops_per_s": 1e9,
            "memory_bytes": 1,
            "latency_s": 0.1 * d,
            "uplink_bit_per_s": 1e6 * (d + 1),
            "downlink_bit_per_s": 1e9,
        }
        for d in range(3)
    ]
    shape_of = links_of(problem(network={"nodes": nodes}).instance).between
    assert (shape_of(1, 2).latency_s, shape_of(1, 2).bit_per_s) == (pytest.approx(0.3), 2e6)
    assert shape_of(2, 1).bit_per_s == 3e6
