"""The instances of the repository load, and those with a known optimum have it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from independent.evaluator import brute

import edgeplan
from edgeplan.models.federated import StatedSchedule
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.segment_scheduling.generated import Size, fits_in_order, generated

ROOT = Path(__file__).parent.parent / "instances"
FOLDER = ROOT / "layer_assignment"
INSTANCES = sorted(path.name for path in FOLDER.glob("*.json") if path.name != "devices.json")
UPDATES = sorted(path.name for path in (ROOT / "sparse_update").glob("*.json"))
SCHEDULES = sorted(path.name for path in (ROOT / "segment_scheduling").glob("*.json"))


def noted(key: str) -> list[str]:
    return [name for name in INSTANCES if key in json.loads((FOLDER / name).read_text(encoding="utf-8"))]


@pytest.mark.parametrize("name", INSTANCES)
def test_every_instance_loads(name: str) -> None:
    assert edgeplan.load(FOLDER / name).instance.name


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_loads_and_its_clusters_can_hold_the_blocks(name: str) -> None:
    problem = edgeplan.load(ROOT / "segment_scheduling" / name)
    assert isinstance(problem, edgeplan.SegmentScheduling)
    assert all(fits_in_order(problem.segments, cluster, 1) for cluster in problem.instance.clusters)


@pytest.mark.parametrize("name", ["bert-base-3-clusters.json", "transformer-3-clusters.json"])
def test_a_schedule_is_what_its_seed_generates(name: str) -> None:
    document = edgeplan.load(ROOT / "segment_scheduling" / name).to_document()
    seed, slots = document["channels"]["seed"], document["control"]["slots"]
    again = generated(document["model"], Size(num_slots=slots), seed=seed)
    assert document == again | {"name": document["name"]}


ONE_EACH = [
    ("fast", "slow", 2, 17.5, {"fast": 3.0, "slow": 5.0, "home": 6.0}),
    ("fast", "slow", 1, 18.25, {"fast": 1.5, "slow": 2.5, "home": 5.0}),
    ("slow", "fast", 1, 19.45, {"fast": 0.5, "slow": 4.5, "home": 5.0}),
]


@pytest.mark.parametrize(("first", "second", "micro_batches", "objective", "energy_j"), ONE_EACH)
def test_the_tiny_schedule_is_what_its_arithmetic_says(
    first: str, second: str, micro_batches: int, objective: float, energy_j: dict[str, float]
) -> None:
    full = {"bandwidth_hz": 1000.0, "power_w": 1.0}
    stages = [{"device": first, "layers": ["encoder.0"], **full}, {"device": second, "layers": ["encoder.1"]}]
    entry = {"id": "home", "micro_batches": micro_batches, "uplink": full, "stages": stages}
    problem = edgeplan.load(ROOT / "segment_scheduling" / "tiny.json")
    verdict = problem.check(problem.plan_from_document({"slots": [{"clusters": [entry]}]}))
    assert (verdict.violations, verdict.objective) == ((), pytest.approx(objective))
    assert verdict.metrics is not None
    assert verdict.metrics["mean_energy_j"] == pytest.approx(energy_j)


def test_fast_cannot_hold_both_blocks_of_the_tiny_schedule_and_slow_can_exactly() -> None:
    problem = edgeplan.load(ROOT / "segment_scheduling" / "tiny.json")
    fast, slow = problem.instance.clusters[0].devices
    assert problem.segments.memory_bytes(0, 1, 1) > fast.memory_bytes
    assert problem.segments.memory_bytes(0, 1, 2) == slow.memory_bytes


@pytest.mark.parametrize("name", noted("x-optimum"))
def test_an_instance_has_the_optimum_that_it_notes(name: str) -> None:
    document = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    problem = edgeplan.load(FOLDER / name)
    result = edgeplan.solve(problem)
    assert (result.status, result.objective) == ("optimal", pytest.approx(document["x-optimum"], rel=1e-6))
    assert problem.check(Plan.from_document(result.plan)).feasible


@pytest.mark.parametrize("name", [name for name in noted("x-arithmetic") if name.startswith("tiny")])
def test_a_tiny_instance_is_what_the_independent_brute_force_says(name: str) -> None:
    document = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    best = brute(document)
    assert document.get("x-optimum") == (None if best is None else best.objective)
    assert edgeplan.solve(edgeplan.load(FOLDER / name)).status == (
        "infeasible" if best is None else "optimal"
    )


@pytest.mark.parametrize("name", UPDATES)
def test_every_instance_of_sparse_update_loads_and_is_proven(name: str) -> None:
    problem = edgeplan.load(ROOT / "sparse_update" / name)
    assert isinstance(problem, edgeplan.SparseUpdate)
    assert edgeplan.solve(problem, time_limit_s=120.0).status == "optimal"


def test_the_tiny_updates_are_what_their_arithmetic_says() -> None:
    path = ROOT / "sparse_update" / "tiny.json"
    optimum = json.loads(path.read_text(encoding="utf-8"))["x-optimum"]
    assert edgeplan.solve(edgeplan.load(path)).objective == pytest.approx(optimum, rel=1e-12)


def test_the_schedule_of_five_clients_takes_what_its_arithmetic_says() -> None:
    path = ROOT / "federated" / "digits-5-clients.json"
    problem = edgeplan.load(FOLDER / "digits-6-nodes.json")
    assert isinstance(problem, LayerAssignment)
    document = {k: v for k, v in json.loads(path.read_text("utf-8")).items() if not k.startswith("x-")}
    stated = StatedSchedule.from_document(document, problem)
    num_bytes = 4 * 178_346  # the parameters of the model's layers together
    assert [cost.bytes_moved // (2 * num_bytes) for cost in stated.rounds] == [5, 3, 3, 4, 5, 3]
    first = stated.rounds[0].clients
    for cost in first:  # five share 1 Gbit/s of edge-0, 2 ms of latency at either end
        assert cost.transfer_in_s == pytest.approx(5 * 8 * num_bytes / 1e9 + 0.004)
    phone = next(cost for cost in first if cost.node == "phone-0")  # the first to send is alone on the link
    assert phone.transfer_out_s == pytest.approx(8 * num_bytes / 150e6 + 0.004)
