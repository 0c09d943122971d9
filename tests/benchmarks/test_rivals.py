"""Rivals of the benchmarks give valid plans or none, and know what their papers know."""

from __future__ import annotations

import pytest
from independent.evaluator import brute
from independent.instances import random_instance
from independent.pipeline_instances import random_pipeline
from small_instances import document, layer, node
from tier import cases

from benchmarks.rivals import RIVALS
from benchmarks.rivals.pipedream import split_over
from benchmarks.rivals.shares import share_out
from benchmarks.rivals.split import Split
from benchmarks.rivals.stage_costs import StageCosts
from benchmarks.timed_run import TimedRun, timed_run
from edgeplan.models.layer_assignment import LayerAssignment, Plan

SEEDS = range(cases(commit=12, large=300))
DIRECT = [name for name in RIVALS if name not in ("plain CP-SAT", "local search")]


def read(given: dict) -> LayerAssignment:
    return LayerAssignment.from_document(given)


def planned(name: str, problem: LayerAssignment) -> TimedRun:
    # in a process of its own, since OR-Tools and HiGHS cannot be imported into one
    return timed_run(lambda: RIVALS[name](problem, time_limit_s=0.5), limit_s=60)


def assert_valid(problem: LayerAssignment, plan: Plan | None, optimum: float | None) -> None:
    if plan is None:
        return
    check = problem.check(plan)
    assert check.violations == ()
    assert optimum is not None
    assert check.objective >= optimum - 1e-9 * max(1.0, abs(optimum))


@pytest.mark.parametrize("make", [random_instance, random_pipeline])
@pytest.mark.parametrize("name", DIRECT)
def test_a_rival_gives_only_valid_plans(name: str, make) -> None:
    for seed in SEEDS:
        problem, best = read(make(seed)), brute(make(seed))
        plan = RIVALS[name](problem)
        assert_valid(problem, plan, None if best is None else float(best.objective))


@pytest.mark.parametrize("make", [random_instance, random_pipeline])
@pytest.mark.parametrize("name", ["plain CP-SAT", "local search"])
def test_a_rival_that_searches_gives_only_valid_plans(name: str, make) -> None:
    for seed in SEEDS[:4]:
        problem, best = read(make(seed)), brute(make(seed))
        run = planned(name, problem)
        assert run.failure is None
        assert_valid(problem, run.value, None if best is None else float(best.objective))


@pytest.mark.parametrize("name", RIVALS)
def test_a_rival_has_no_plan_where_nothing_fits(name: str) -> None:
    problem = read(document("abc", [node("p", memory_bytes=1)]))
    run = planned(name, problem)
    assert (run.failure, run.value) == (None, None)


@pytest.mark.parametrize("make", [random_instance, random_pipeline])
def test_stage_costs_are_those_of_the_problem(make) -> None:
    for seed in SEEDS:
        problem = read(make(seed))
        costs, figures = StageCosts(problem), problem.figures
        for index in costs.workers:
            here = problem.instance.network.nodes[index]
            for start in range(costs.num_positions):
                for end in range(start + 1, costs.num_positions + 1):
                    run = figures.own[start:end]
                    assert costs.seconds(index)[start, end] == pytest.approx(figures.compute_s(here, run))
                    for left in (1, 2, 5):
                        need = figures.memory_bytes(run, left)
                        assert costs.memory_of_runs(left)[start, end] == pytest.approx(need, abs=1)


def test_arrivals_add_up_to_what_the_problem_says_of_a_plan() -> None:
    for seed in SEEDS:
        problem = read(random_pipeline(seed))
        costs = StageCosts(problem)
        if costs.most_stages < 2:
            continue
        split = Split(costs.workers[:2], (1, costs.num_positions))
        stages = problem.metrics(split.to_plan(problem))["stages"]
        link = costs.arrival_s(*split.nodes)[1, 0] * problem.instance.micro_batches
        assert stages[1]["transfer_in_s"] == pytest.approx(link)


def test_shares_follow_the_weights() -> None:
    costs = StageCosts(read(document("abcdef", "pqr")))
    assert share_out(costs, [2, 0, 1], [3.0, 1.0, 2.0]) == Split((2, 0, 1), (3, 4, 6))


def test_what_a_node_cannot_hold_goes_to_the_others() -> None:
    # 4 * 60 bytes of frozen weights and 12 more for each trained parameter: p holds one layer
    nodes = [node("p", memory_bytes=360), node("q"), node("r")]
    costs = StageCosts(read(document("abcdef", nodes)))
    assert share_out(costs, [0, 1, 2], [1.0, 1.0, 1.0]) == Split((0, 1, 2), (1, 4, 6))


def test_pipedream_splits_where_the_slowest_stage_is_fastest() -> None:
    # 3 s a layer on p, 1.5 s on q: 3 + 6 layers' work split 1 to 2
    nodes = [node("p"), node("q", flops_per_s=2)]
    costs = StageCosts(read(document("abc", nodes, schedule="pipeline")))
    assert split_over(costs, [0, 1]) == Split((0, 1), (1, 3))


def test_pipedream_cuts_where_little_moves() -> None:
    layers = [layer("a", output_bytes=1000), layer("b", output_bytes=1), layer("c")]
    nodes = [node(name, uplink_bit_per_s=8, downlink_bit_per_s=8) for name in "pq"]
    costs = StageCosts(read(document(layers, nodes, schedule="pipeline")))
    assert split_over(costs, [0, 1]) == Split((0, 1), (2, 3))


def test_a_child_that_hangs_is_killed() -> None:
    run = timed_run(lambda: [None for _ in iter(int, 1)], limit_s=0.2)
    assert run.value is None
    assert run.failure == "killed after 0 s"
