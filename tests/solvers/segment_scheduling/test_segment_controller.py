"""The controller decides what solve does, with devices that come and go and a state that is kept."""

from __future__ import annotations

import copy
import json
import math
import random
from typing import Any

import pytest
from independent.segment_evaluator import Document, SegmentCase, slot_figures
from judged_slots import feasible_documents, is_feasible, problem_of
from small_segments import problem as two_phones
from tier import cases

import edgeplan
from edgeplan.errors import EdgeplanError, InvalidInputError, UsageError
from edgeplan.models.result import Status
from edgeplan.models.segment_scheduling import Gains, SegmentScheduling, SlotPlan
from edgeplan.solvers.segment_scheduling.controller import OPTIMAL_GAP, Controller, Decision

SLOTS = 5
SEEDS = range(cases(commit=4, large=100))


def drawn(seed: int) -> Document:
    return next(feasible_documents(2, 3, 4, 4, SLOTS, first_seed=100_000 + 100 * seed))


def run(controller: Controller, problem: SegmentScheduling) -> list[Decision]:
    return [controller.step(gains) for gains in problem.gains()]


def as_documents(decisions: list[Decision]) -> list[dict[str, Any]]:
    return [decision.to_document() for decision in decisions]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_controller_decides_what_solve_decides(seed: int) -> None:
    problem = problem_of(drawn(seed))
    decisions = run(Controller(problem, gap=OPTIMAL_GAP / 2), problem)
    result = edgeplan.solve(problem)
    assert result.status is Status.OPTIMAL
    assert result.plan is not None
    assert result.metrics is not None
    assert result.plan["slots"] == [decision.plan.to_document() for decision in decisions]
    assert result.plan["slot_bounds"] == [decision.bound for decision in decisions]
    assert result.metrics["slots"] == [decision.cost.to_document() for decision in decisions]
    assert [decision.slot for decision in decisions] == [*range(SLOTS)]
    assert all(decision.is_optimal for decision in decisions)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_queues_of_the_next_slot_are_those_behind_the_decision(seed: int) -> None:
    problem = problem_of(drawn(seed))
    controller = Controller(problem)
    for gains in problem.gains():
        decision = controller.step(gains)
        assert controller.queues == decision.cost.queues
        assert controller.state() == {"slot": decision.slot + 1, "queues": controller.queues.to_document()}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_calls_give_the_same_decisions(seed: int) -> None:
    problem = problem_of(drawn(seed))
    first, second = (as_documents(run(Controller(problem), problem)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("seed", SEEDS)
def test_a_controller_that_goes_on_from_a_saved_state_decides_the_same(seed: int) -> None:
    """Another controller begins without the structures of the slots before, which a tie may show."""
    problem = problem_of(drawn(seed))
    gains = [*problem.gains()]
    controller = Controller(problem)
    for slot in gains[:2]:
        controller.step(slot)
    saved = json.dumps(controller.state())
    further = [controller.step(slot) for slot in gains[2:]]
    another = Controller(problem)
    another.restore(json.loads(saved))
    assert another.state() == json.loads(saved)
    for decision, slot in zip(further, gains[2:], strict=True):
        again = another.step(slot)
        assert again.slot == decision.slot
        assert math.isclose(again.objective, decision.objective, rel_tol=1e-5)
        another.restore({"slot": decision.slot + 1, "queues": decision.cost.queues.to_document()})


@pytest.mark.parametrize("seed", SEEDS)
def test_restored_controllers_agree_with_one_another(seed: int) -> None:
    problem = problem_of(drawn(seed))
    gains = [*problem.gains()]
    controller = Controller(problem)
    controller.step(gains[0])
    saved, found = controller.state(), []
    for _ in range(2):
        another = Controller(problem)
        another.restore(copy.deepcopy(saved))
        found.append(as_documents([another.step(slot) for slot in gains[1:]]))
    assert found[0] == found[1]


def test_going_back_to_a_state_goes_back_in_slots_and_queues() -> None:
    problem = problem_of(drawn(0))
    controller, gains = Controller(problem), [*problem.gains()]
    start = controller.state()
    first = controller.step(gains[0])
    controller.step(gains[1])
    controller.restore(start)
    assert controller.queues == problem.initial_queues
    again = controller.step(gains[0])
    assert again.slot == 0
    assert math.isclose(again.objective, first.objective, rel_tol=2 * OPTIMAL_GAP)


# ---- devices that are gone ----


def without(document: Document, gone: set[str]) -> Document:
    """Return a copy without these devices; their queues and gains go with them."""
    changed = copy.deepcopy(document)
    for cluster in changed["clusters"]:
        cluster["devices"] = [device for device in cluster["devices"] if device["id"] not in gone]
    for name in gone:
        changed.get("initial_queues", {}).pop(name, None)
    return changed


def with_trace(document: Document) -> Document:
    """Return a copy whose gains are written out."""
    case, changed = SegmentCase(document), copy.deepcopy(document)
    changed["channels"] = {
        "kind": "trace",
        "d2d": {name: case.gains[name] for name in case.devices},
        "uplink": {name: case.gains[name] for name in case.units},
    }
    return changed


def trace_without(document: Document, gone: set[str]) -> Document:
    changed = without(with_trace(document), gone)
    for name in gone:
        del changed["channels"]["d2d"][name]
    return changed


def step_and_check(document: Document, controller: Controller, t: int, **options: Any) -> Decision:
    """Decide a slot, and recompute what it takes and the queues behind it by the evaluator."""
    case = SegmentCase(document)
    before = controller.queues.to_document()
    gains = {
        "d2d": {name: case.gains[name][t] for name in case.devices},
        "uplink": {name: case.gains[name][t] for name in case.units},
    }
    decision = controller.step(gains, **options)
    figures = slot_figures(case, t, decision.plan.to_document()["clusters"], before)
    cost = decision.cost
    assert math.isclose(cost.latency_s, figures["latency_s"], rel_tol=1e-9, abs_tol=1e-12)
    assert math.isclose(cost.noise, figures["noise"], rel_tol=1e-12)
    assert math.isclose(cost.objective, figures["objective"], rel_tol=1e-8)
    assert cost.energy_j == pytest.approx(figures["energy_j"], rel=1e-9, abs=1e-12)
    assert cost.queues.to_document() == pytest.approx(figures["queues"], rel=1e-9, abs=1e-9)
    assert decision.bound <= decision.objective
    return decision


@pytest.mark.parametrize("seed", SEEDS)
def test_with_devices_gone_the_others_do_what_is_best_for_them(seed: int) -> None:
    rng, document = random.Random(f"gone {seed}"), with_trace(drawn(seed))
    document["control"]["slots"] = 1
    for part in ("d2d", "uplink"):
        document["channels"][part] = {name: gains[:1] for name, gains in document["channels"][part].items()}
    ids = [device["id"] for cluster in document["clusters"] for device in cluster["devices"]]
    gone = {name for name in ids if rng.random() < 0.4}
    present = [name for name in ids if name not in gone]
    decision = step_and_check(document, Controller(problem_of(document)), 0, devices=present)
    fewer = trace_without(document, gone)
    serving = {stage.device for entry in decision.plan.clusters for stage in entry.stages}
    assert serving <= {*present}
    alone = [{**fewer, "clusters": [cluster]} for cluster in fewer["clusters"]]
    skipped = {one["clusters"][0]["id"] for one in alone if not one["clusters"][0]["devices"]}
    skipped |= {
        one["clusters"][0]["id"] for one in alone if one["clusters"][0]["devices"] and not is_feasible(one)
    }
    assert {*decision.skipped} == skipped
    assert {entry.id for entry in decision.plan.clusters if entry.skipped} == skipped
    if not skipped:
        result = edgeplan.solve(problem_of(fewer))
        assert result.objective is not None
        assert math.isclose(decision.objective, result.objective, rel_tol=2e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_queues_go_on_while_devices_come_and_go(seed: int) -> None:
    rng, document = random.Random(f"come and go {seed}"), drawn(seed)
    controller = Controller(problem_of(document))
    ids = [device["id"] for cluster in document["clusters"] for device in cluster["devices"]]
    for t in range(SLOTS):
        share = rng.choice([0.0, 0.3, 0.7, 1.0])
        devices = rng.choice([None, [name for name in ids if rng.random() < share]])
        decision = step_and_check(document, controller, t, devices=devices)
        for entry in decision.plan.clusters:
            if entry.skipped:
                assert decision.cost.energy_j[entry.id] == 0.0


@pytest.mark.parametrize("devices", [[], {}, ()], ids=["list", "mapping", "tuple"])
def test_with_every_cluster_skipped_the_noise_is_that_of_one_micro_batch(devices: Any) -> None:
    document = drawn(1)
    controller = Controller(problem_of(document))
    before = controller.queues
    decision = step_and_check(document, controller, 0, devices=devices)
    level, size = document["control"]["noise_level"], document["training"]["micro_batch_size"]
    assert decision.cost.noise == pytest.approx(level / size)
    assert decision.cost.latency_s == 0
    assert set(decision.cost.energy_j.values()) == {0.0}
    assert {*decision.skipped} == {cluster["id"] for cluster in document["clusters"]}
    price = before.noise / document["control"]["noise_budget"] ** 2
    assert decision.objective == pytest.approx(price * level / size)
    assert decision.bound == pytest.approx(decision.objective)
    assert decision.is_optimal


@pytest.mark.parametrize("seed", SEEDS)
def test_memory_that_devices_have_left_is_the_memory_that_counts(seed: int) -> None:
    rng, document = random.Random(f"left {seed}"), drawn(seed)
    document["control"]["slots"] = 1
    document["channels"] = {"kind": "rayleigh", "seed": seed, "d2d_gain": 1e-10, "uplink_gain": 1e-10}
    devices = [device for cluster in document["clusters"] for device in cluster["devices"]]
    left = {device["id"]: round(device["memory_bytes"] * rng.choice([0.5, 1.0, 2.0])) for device in devices}
    changed = copy.deepcopy(document)
    for cluster in changed["clusters"]:
        for device in cluster["devices"]:
            device["memory_bytes"] = max(1, min(device["memory_bytes"], left[device["id"]]))
    controller = Controller(problem_of(document))
    decision = step_and_check(document, controller, 0, devices=left)
    if not is_feasible(changed):
        assert decision.skipped
        return
    result = edgeplan.solve(problem_of(changed))
    assert result.objective is not None
    assert math.isclose(decision.objective, result.objective, rel_tol=2e-6)


def test_a_skipped_cluster_has_its_reason() -> None:
    controller = Controller(two_phones())
    gains = {"d2d": {"fast": 1e-9, "slow": 1e-9}, "uplink": {"home": 1e-10}}
    alone = controller.step(gains, devices=["slow"])
    assert alone.skipped == {"home": "no segmentation fits the memory of the devices that are there: slow"}
    assert controller.step(gains, devices=[]).skipped == {"home": "none of its devices is there"}
    assert controller.step(gains).skipped == {}


# ---- hints, workers, time ----


def best_structures(problem: SegmentScheduling) -> SlotPlan:
    result = edgeplan.solve(problem)
    assert result.plan is not None
    return problem.plan_from_document(result.plan).slots[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hint_is_never_made_worse_however_little_time_there_is(seed: int) -> None:
    problem = problem_of(next(feasible_documents(2, 3, 4, 4, first_seed=200_000 + 100 * seed)))
    gains = next(problem.gains())
    hint = best_structures(problem)
    best = edgeplan.solve(problem).objective
    assert best is not None
    late = Controller(problem).step(gains, until=0.0, hint=hint)
    assert late.objective <= best * (1 + 1e-6)
    assert Controller(problem).step(gains, hint=hint).objective <= best * (1 + 2e-6)
    blind = Controller(problem).step(gains, until=0.0)
    assert late.objective <= blind.objective * (1 + 1e-9)


def test_a_hint_of_other_devices_or_blocks_changes_nothing() -> None:
    problem = two_phones()
    gains = next(problem.gains())
    entry: dict[str, Any] = {
        "id": "home",
        "micro_batches": 2,
        "stages": [{"device": "gone", "layers": ["x"]}],
    }
    plain = Controller(problem).step(gains)
    for stages in (entry["stages"], [{"device": "fast", "layers": ["x", "y", "z"]}], []):
        hint = SlotPlan.model_validate({"clusters": [entry | {"stages": stages}]})
        assert Controller(problem).step(gains, hint=hint).objective == pytest.approx(plain.objective)
    assert Controller(problem).step(gains, hint=SlotPlan(clusters=())).objective == pytest.approx(
        plain.objective
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_two_workers_decide_as_one_does(seed: int) -> None:
    problem = problem_of(drawn(seed))
    alone, together = Controller(problem), Controller(problem, workers=2)
    for gains in problem.gains():
        one, two = alone.step(gains), together.step(gains)
        assert math.isclose(one.objective, two.objective, rel_tol=1e-9)
        together.restore(alone.state())
    together.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_without_time_the_decision_is_sound_and_its_bound_holds(seed: int) -> None:
    document = drawn(seed)
    controller, proven = Controller(problem_of(document)), Controller(problem_of(document))
    for t in range(SLOTS):
        hurried = step_and_check(document, controller, t, until=0.0)
        best = step_and_check(document, proven, t)
        assert math.isfinite(hurried.bound)
        assert hurried.bound <= best.objective
        assert hurried.objective >= best.bound
        proven.restore(controller.state())


def test_better_objectives_and_bounds_are_told_as_they_come() -> None:
    problem = problem_of(drawn(2))
    told: list[tuple[float | None, float | None]] = []
    decision = Controller(problem).step(
        next(problem.gains()), on_better=lambda objective, bound: told.append((objective, bound))
    )
    objectives = [objective for objective, _ in told if objective is not None]
    bounds = [bound for _, bound in told if bound is not None]
    assert objectives == sorted(objectives, reverse=True)
    assert bounds == sorted(bounds)
    assert math.isclose(objectives[-1], decision.objective, rel_tol=1e-9)
    assert math.isclose(min(bounds[-1], decision.objective), decision.bound, rel_tol=1e-9)


def test_a_decision_is_plain_json() -> None:
    problem = problem_of(drawn(3))
    document = Controller(problem).step(next(problem.gains())).to_document()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["gap"] <= OPTIMAL_GAP
    assert {entry["id"] for entry in document["clusters"]} == {
        cluster.id for cluster in problem.instance.clusters
    }


# ---- what comes in wrong ----

GAINS: dict[str, Any] = {"d2d": {"fast": 1e-9, "slow": 1e-9}, "uplink": {"home": 1e-10}}


def gain(part: str, name: str, value: Any) -> dict[str, Any]:
    return GAINS | {part: GAINS[part] | {name: value}}


FAULTY_GAINS = [
    *(
        gain("d2d", "fast", value)
        for value in (0, -1e-9, None, math.nan, math.inf, "1e-9", True, 1j, 10**400)
    ),
    gain("uplink", "home", 0.0),
    GAINS | {"d2d": {"fast": 1e-9}},
    GAINS | {"uplink": {}},
    GAINS | {"d2d": None},
    GAINS | {"d2d": [1e-9, 1e-9]},
    {"d2d": GAINS["d2d"]},
    {},
    None,
    [1e-9],
    5,
]


@pytest.mark.parametrize("gains", FAULTY_GAINS, ids=lambda value: repr(value)[:60])
def test_faulty_gains_are_refused_and_change_nothing(gains: Any) -> None:
    controller = Controller(two_phones())
    before = controller.state()
    with pytest.raises(UsageError):
        controller.step(gains)
    assert controller.state() == before


def test_gains_of_devices_that_are_gone_need_not_be_given() -> None:
    controller = Controller(two_phones())
    decision = controller.step({"d2d": {"fast": 1e-9}, "uplink": {"home": 1e-10}}, devices=["fast"])
    assert [*decision.skipped] == ["home"]


FAULTY_DEVICES = [
    ["ghost"],
    "fast",
    [None],
    [1, "ghost"],
    [["fast"]],
    5,
    {"fast": -1},
    {"fast": 1.5},
    {"fast": None},
    {"fast": "1 GiB"},
    {"fast": True},
    {"ghost": 1},
]


@pytest.mark.parametrize("devices", FAULTY_DEVICES, ids=repr)
def test_faulty_devices_are_refused_and_change_nothing(devices: Any) -> None:
    controller = Controller(two_phones())
    before = controller.state()
    with pytest.raises(UsageError):
        controller.step(GAINS, devices=devices)
    assert controller.state() == before


QUEUES = {"fast": 2.0, "slow": 0.0, "home": 0.0, "noise": 0.5}
FAULTY_STATES = [
    None,
    5,
    "state",
    [],
    {},
    {"slot": 1},
    {"queues": QUEUES},
    {"slot": -1, "queues": QUEUES},
    {"slot": 1.0, "queues": QUEUES},
    {"slot": True, "queues": QUEUES},
    {"slot": 1, "queues": None},
    {"slot": 1, "queues": [1.0]},
    {"slot": 1, "queues": QUEUES, "extra": 1},
    {"slot": 1, "queues": QUEUES | {"ghost": 1.0}},
    {"slot": 1, "queues": {name: queue for name, queue in QUEUES.items() if name != "noise"}},
    *(
        {"slot": 1, "queues": QUEUES | {"slow": value}}
        for value in (-1e-9, math.nan, math.inf, "1", True, None, 10**400, {})
    ),
]


@pytest.mark.parametrize("state", FAULTY_STATES, ids=lambda value: repr(value)[:60])
def test_a_faulty_state_is_refused_and_changes_nothing(state: Any) -> None:
    controller = Controller(two_phones())
    before = controller.state()
    with pytest.raises((InvalidInputError, UsageError)):
        controller.restore(state)
    assert controller.state() == before


def test_every_fault_of_a_state_is_told_with_its_pointer() -> None:
    controller = Controller(two_phones())
    with pytest.raises(InvalidInputError) as caught:
        controller.restore({"slot": 0, "queues": {"ghost": 1.0, "fast": 0.0, "home": 0.0}})
    assert {fault.pointer for fault in caught.value.faults} == {
        "/queues/ghost",
        "/queues/slow",
        "/queues/noise",
    }


@pytest.mark.parametrize(
    "settings",
    [
        {"gap": math.nan},
        {"gap": -0.1},
        {"gap": "small"},
        {"workers": 0},
        {"workers": -1},
        {"slot_time_s": math.nan},
        {"slot_time_s": -1.0},
    ],
    ids=repr,
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(EdgeplanError):
        Controller(two_phones(), **settings)


def test_the_state_given_back_is_a_copy() -> None:
    controller = Controller(two_phones())
    controller.state()["queues"]["fast"] = 99.0
    assert controller.state()["queues"]["fast"] == 2.0


def test_a_gain_object_does_as_well_as_a_mapping() -> None:
    one = Controller(two_phones()).step(GAINS)
    two = Controller(two_phones()).step(Gains(GAINS["d2d"], GAINS["uplink"]))
    assert one.to_document() == two.to_document()


def test_a_run_whose_state_is_handed_on_costs_what_a_whole_one_does() -> None:
    problem = problem_of(drawn(4))
    whole, state, objectives = edgeplan.solve(problem), None, []
    for slot in problem.gains():
        controller = Controller(problem)
        if state is not None:
            controller.restore(state)
        objectives.append(controller.step(slot).objective)
        state = controller.state()
    assert state is not None
    assert state["slot"] == SLOTS
    assert whole.objective == pytest.approx(sum(objectives), rel=1e-4)
