"""Every policy gives legal plans of its own kind, and the figures are those of the formulas."""

from __future__ import annotations

import argparse
import itertools
import math
from functools import cache

import pytest
from small_segments import plan as small_plan

from benchmarks.rivals.segment_scheduling import CONTROLLER, FIXED, POLICIES, UNLIMITED
from benchmarks.rivals.segment_scheduling.equal_segments import equal_segments
from benchmarks.rivals.segment_scheduling.full_power import at_full_power
from benchmarks.rivals.segment_scheduling.in_proportion import Room, filled_in_turn
from benchmarks.rivals.segment_scheduling.one_cut import OneCut
from benchmarks.rivals.segment_scheduling.policy import asked_micro_batches, skeleton
from benchmarks.rivals.segment_scheduling.speed_segments import speed_segments
from benchmarks.segment_baselines import Run, document, measured, run
from benchmarks.segment_cases import CASES
from benchmarks.segment_measures import interval, measures
from edgeplan.models.problems import load
from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.models.segment_scheduling.encoder import bert_like
from edgeplan.models.segment_scheduling.examples import two_blocks_two_phones
from edgeplan.models.segment_scheduling.generated import Size, generated
from edgeplan.models.segment_scheduling.slot_cost import slot_cost
from edgeplan.solvers.segment_scheduling.slot_arrays import Structure

SLOTS, GAP, LIMIT_S = 3, 0.05, 6.0


def _small(seed: int, **members: object) -> SegmentScheduling:
    size = Size(num_clusters=2, num_devices=3, max_micro_batches=10, num_slots=SLOTS)
    return SegmentScheduling.from_document(generated(bert_like(5), size, seed=seed) | members)


def _roomy(seed: int = 1) -> SegmentScheduling:
    """Return an instance on which every device holds all blocks."""
    problem = _small(seed)
    document = problem.to_document()
    for cluster in document["clusters"]:
        for device in cluster["devices"]:
            device["memory_bytes"] = 2**40
    return SegmentScheduling.from_document(document)


@cache
def _run(name: str, seed: int) -> tuple[SegmentScheduling, Run, list[str]]:
    problem = _small(seed)
    policy = POLICIES[name](problem, GAP)
    return problem, run(problem, policy, LIMIT_S), policy.notes()


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", [name for name in POLICIES if name != UNLIMITED])
def test_every_policy_gives_legal_plans_with_queues_as_the_problem_counts_them(name: str, seed: int) -> None:
    problem, done, _ = _run(name, seed)
    planned = SegmentPlan(slots=tuple(done.plans))
    assert problem.check(planned).violations == ()
    assert [cost.queues for cost in done.costs] == [cost.queues for cost in problem.costs(planned)]


def test_one_device_alone_breaks_no_rule_but_memory() -> None:
    problem, done, _ = _run(UNLIMITED, 1)
    broken = problem.check(SegmentPlan(slots=tuple(done.plans))).violations
    assert {violation.rule for violation in broken} == {"memory"}
    assert all(len(entry.stages) == 1 for slot in done.plans for entry in slot.clusters)


def test_equal_segments_use_every_device_in_document_order() -> None:
    problem = _roomy()
    structure = equal_segments(problem)(0, 4, next(problem.gains()))
    assert structure == Structure(4, (0, 1, 2), (2, 3, 5))


def test_segments_by_speed_follow_the_speeds() -> None:
    problem = _roomy()
    structure = speed_segments(problem)(0, 4, next(problem.gains()))
    assert structure is not None
    speeds = [device.flops_per_s for device in problem.instance.clusters[0].devices]
    ends = [round(5 * sum(speeds[: k + 1]) / sum(speeds)) for k in range(3)]
    assert structure.ends == tuple(end for end, before in zip(ends, [0, *ends], strict=False) if end > before)


def test_what_does_not_fit_goes_to_the_others_and_is_told() -> None:
    problem = _roomy()
    document = problem.to_document()
    one_block = problem.segments.memory_bytes(0, 0, 8)
    document["clusters"][0]["devices"][0]["memory_bytes"] = one_block
    rule = equal_segments(SegmentScheduling.from_document(document))
    structure = rule(0, 8, next(problem.gains()))
    assert structure is not None
    assert structure.ends[0] == 1
    assert [note.partition(":")[0] for note in rule.notes()] == ["c0"]


def test_filling_in_turn_leaves_no_device_room_for_the_next_block() -> None:
    problem = _small(2)
    room = Room(problem.segments, problem.instance.clusters[0], 4)
    structure = filled_in_turn(room)
    assert structure is not None
    starts = (0, *structure.ends[:-1])
    for device, start, end in list(zip(structure.devices, starts, structure.ends, strict=True))[:-1]:
        assert not room.holds(device, start, end + 1, 3 - device)


def test_one_cut_is_the_best_pair_and_cut_at_full_power() -> None:
    problem = _roomy()
    gains, best = next(problem.gains()), math.inf
    rule = OneCut(problem)
    other = rule(1, 6, gains)
    for first, second in itertools.permutations(range(3), 2):
        for cut in range(1, 5):
            structures = {0: Structure(6, (first, second), (cut, 5)), 1: other}
            best = min(best, _latency_s(problem, structures))
    assert _latency_s(problem, {0: rule(0, 6, gains), 1: other}) == pytest.approx(best)
    assert rule.notes() == []


def _latency_s(problem: SegmentScheduling, structures: dict[int, Structure]) -> float:
    plan = at_full_power(problem, skeleton(problem, structures))
    cost = slot_cost(problem.segments, plan, next(problem.gains()), problem.initial_queues)
    return cost.clusters[0].latency_s


def test_where_two_devices_do_not_hold_the_blocks_one_cut_takes_the_fewest_that_do() -> None:
    problem = _roomy()
    document = problem.to_document()
    for device in document["clusters"][0]["devices"]:
        device["memory_bytes"] = problem.segments.memory_bytes(0, 1, 4)
    rule = OneCut(SegmentScheduling.from_document(document))
    structure = rule(0, 4, next(problem.gains()))
    assert structure is not None
    assert len(structure.devices) == 3
    assert rule.notes() == ["c0: 3 devices"]


def test_full_power_shares_the_bands_equally() -> None:
    _, done, _ = _run("equal segments", 1)
    problem = _small(1)
    powers = {device.id: device.max_power_w for c in problem.instance.clusters for device in c.devices}
    for cluster, entry in zip(problem.instance.clusters, done.plans[0].clusters, strict=True):
        hops = entry.stages[:-1]
        assert all(stage.power_w == powers[stage.device] for stage in hops)
        assert all(stage.bandwidth_hz == cluster.d2d_bandwidth_hz / len(hops) for stage in hops)
        assert entry.uplink is not None
        assert entry.uplink.bandwidth_hz == problem.instance.uplink_bandwidth_hz / 2
        assert entry.uplink.power_w == cluster.uplink_max_power_w


def test_at_best_a_segmentation_costs_no_more_than_at_full_power() -> None:
    _, plain, _ = _run("equal segments", 1)
    problem = _small(1)
    queues = {name: 3 * budget for name, budget in _budgets(problem).items()} | {"noise": 1.0}
    warm = problem.replace(initial_queues=queues)
    at_best = run(warm, POLICIES["equal segments, else at best"](warm, GAP), LIMIT_S)
    at_full = slot_cost(warm.segments, plain.plans[0], next(warm.gains()), warm.initial_queues)
    assert at_best.costs[0].objective <= at_full.objective


def _budgets(problem: SegmentScheduling) -> dict[str, float]:
    clusters = problem.instance.clusters
    return {device.id: device.energy_budget_j for cluster in clusters for device in cluster.devices}


@pytest.mark.parametrize(
    ("name", "micro_batches"),
    [(f"{FIXED} micro-batches", 8), ("micro-batches as asked", 7), ("no queues", 1)],
)
def test_policies_with_a_number_of_micro_batches_take_it(name: str, micro_batches: int) -> None:
    problem, done, notes = _run(name, 1)
    assert asked_micro_batches(problem) == 7
    taken = {entry.micro_batches for slot in done.plans for entry in slot.clusters}
    assert taken == {micro_batches}
    assert notes == []


def test_without_queues_a_slot_is_no_slower_than_the_controllers() -> None:
    _, ours, _ = _run(CONTROLLER, 2)
    _, greedy, _ = _run("no queues", 2)
    for own, other in zip(ours.costs, greedy.costs, strict=True):
        assert other.latency_s <= own.latency_s * (1 + GAP)


def test_the_measures_are_those_of_the_formulas() -> None:
    problem = two_blocks_two_phones()
    (cost,) = problem.costs(small_plan())
    found = measures(problem, [cost, cost])
    flops = 4 * 2 * 3e9  # micro-batches, blocks, FLOPs of a block
    assert found.latency_s == pytest.approx(cost.latency_s)
    assert found.micro_batch_s == pytest.approx(cost.latency_s / 4)
    assert found.efficiency == pytest.approx(flops / (cost.latency_s * 3e10))
    assert found.efficiency_of_all == pytest.approx(found.efficiency)
    assert found.memory_bytes == 100_000 * 16 + 4 * 50_000  # the first of two stages holds 4
    assert found.slot_memory_bytes == found.memory_bytes
    assert found.memory_share == pytest.approx(1_800_000 / (200_000 * 16 + 2 * 2 * 50_000))
    assert found.energy_j == pytest.approx(sum(cost.energy_j.values()))
    assert found.excess == pytest.approx(max(cost.energy_j.values()) - 1.0)
    assert found.noise == pytest.approx(1 / 4 / 0.5)
    assert (found.micro_batches, found.stages) == (4.0, 2.0)


def test_idle_devices_count_in_the_efficiency_of_all_alone() -> None:
    problem = two_blocks_two_phones()
    stages = [{"device": "slow", "layers": ["encoder.0", "encoder.1"]}]
    (cost,) = problem.costs(small_plan(stages=stages))
    found = measures(problem, [cost])
    assert found.efficiency == pytest.approx(3 * found.efficiency_of_all)


def test_an_interval_is_that_of_student() -> None:
    found = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.half is not None
    assert found.half == pytest.approx(2.776445 * math.sqrt(2.5 / 5), rel=1e-6)
    assert interval([1.0]).half is None


def test_the_first_seed_is_that_of_the_file() -> None:
    for case in CASES[:2]:
        drawn = case.build(case.seeds(5)[0], 2000).to_document()
        assert drawn | {"name": ""} == load(
            f"instances/segment_scheduling/{case.file}.json"
        ).to_document() | {"name": ""}
        assert len(set(case.seeds(5))) == 5


def test_runs_that_are_there_are_not_run_again_and_every_policy_has_a_line() -> None:
    arguments = argparse.Namespace(
        seeds=2, slots=2, tradeoff=None, gap=0.05, time_limit=2.0, policies=["equal segments", "no queues"]
    )
    rows = list(measured([], CASES[:1], arguments))
    assert [(row["seed"], row["policy"]) for row in rows] == [
        (11, "equal segments"),
        (11, "no queues"),
        (1, "equal segments"),
        (1, "no queues"),
    ]
    assert list(measured(rows, CASES[:1], arguments)) == []
    text = "\n".join(document(rows))
    assert "### Transformer, 3 x 4: 2 seeds, 2 slots" in text
    assert text.count("| equal segments |") == 3  # two halves of figures, and effort
