"""The excess over a budget is what its queue has grown, as long as the queue is never clipped at 0."""

from __future__ import annotations

import math

import pytest
from drawn_segments import drawn
from tier import chunks

from edgeplan.models.segment_scheduling import Queues, SegmentPlan, SegmentScheduling
from edgeplan.models.segment_scheduling.queues import budgets_j


def read(seed: int) -> tuple[SegmentScheduling, SegmentPlan]:
    document, plan = drawn(seed)
    return SegmentScheduling.from_document(document), SegmentPlan.from_document(plan)


def full(problem: SegmentScheduling) -> dict[str, float]:
    """Queues that no horizon empties."""
    control, slots = problem.instance.control, problem.instance.control.slots
    energy = {name: 2 * slots * budget for name, budget in budgets_j(problem.instance).items()}
    return energy | {"noise": 2 * slots * control.noise_budget}


@pytest.mark.parametrize("seeds", chunks(100, commit=200, large=2_000), ids=str)
def test_the_excess_over_a_budget_is_the_growth_of_its_queue(seeds: range) -> None:
    for seed in seeds:
        problem, plan = read(seed)
        start = full(problem)
        problem = problem.replace(initial_queues=start)
        metrics = problem.metrics(plan)
        end, slots = metrics["slots"][-1]["queues"], problem.instance.control.slots
        for name, budget in budgets_j(problem.instance).items():
            excess = metrics["mean_energy_j"][name] / budget - 1
            grown = (end[name] - start[name]) / (slots * budget)
            assert math.isclose(excess, grown, rel_tol=1e-9, abs_tol=1e-9), (seed, name)
            assert math.isclose(metrics["budget_violation"][name], max(0.0, excess), abs_tol=1e-9)
        budget = problem.instance.control.noise_budget
        grown = (end["noise"] - start["noise"]) / (slots * budget)
        assert math.isclose(metrics["mean_noise"] / budget - 1, grown, rel_tol=1e-9, abs_tol=1e-9), seed


@pytest.mark.parametrize("seeds", chunks(100, commit=200, large=2_000), ids=str)
def test_a_queue_that_was_clipped_has_grown_by_more_than_the_excess(seeds: range) -> None:
    for seed in seeds:
        problem, plan = read(seed)
        problem = problem.replace(initial_queues={})
        metrics = problem.metrics(plan)
        slots = problem.instance.control.slots
        for name, budget in budgets_j(problem.instance).items():
            excess = metrics["mean_energy_j"][name] / budget - 1
            grown = metrics["slots"][-1]["queues"][name] / (slots * budget)
            assert grown >= excess - 1e-9, (seed, name)
            assert grown >= 0


@pytest.mark.parametrize("seeds", chunks(100, commit=200, large=2_000), ids=str)
def test_every_slot_is_priced_by_the_queues_behind_the_one_before(seeds: range) -> None:
    for seed in seeds:
        problem, plan = read(seed)
        queues, control = problem.initial_queues.to_document(), problem.instance.control
        for slot in problem.metrics(plan)["slots"]:
            spent = math.fsum(
                queues[name] / budget**2 * slot["energy_j"][name]
                for name, budget in budgets_j(problem.instance).items()
            )
            noise = queues["noise"] / control.noise_budget**2 * slot["noise"]
            assert math.isclose(
                slot["objective"], control.tradeoff * slot["latency_s"] + spent + noise, rel_tol=1e-9
            ), seed
            queues = slot["queues"]


def test_a_queue_grows_by_what_exceeds_the_budget_and_never_falls_below_0() -> None:
    problem, _ = read(0)
    names = [*budgets_j(problem.instance)]
    budget = budgets_j(problem.instance)[names[0]]
    start = Queues(dict.fromkeys(names, 0.25), 0.5)
    spent = dict.fromkeys(names, 0.0) | {names[0]: budget + 1.0}
    after = start.after(problem.instance, spent, problem.instance.control.noise_budget + 0.125)
    assert after.energy_j[names[0]] == pytest.approx(1.25)
    assert after.noise == pytest.approx(0.625)
    assert all(
        after.energy_j[name] == max(0.0, 0.25 - budgets_j(problem.instance)[name]) for name in names[1:]
    )
